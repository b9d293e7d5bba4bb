/** Every kind of source from the command line to the rows: several at once, key lists, inventories, versions, archives. */
import {
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  RestoreObjectCommand,
} from '@aws-sdk/client-s3';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST, PLAN_INDEX, RUN_RECORD } from '../../data/run/layout.ts';
import type { TagSpec } from '../../data/run/record.ts';
import { readJson } from '../../data/store/json.ts';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { jsonOf } from '../support/cli.ts';
import { startFaultyProxy } from '../support/servers/faultyProxy.ts';
import { putInventory } from '../support/inventory.ts';
import { startMoto } from '../support/servers/moto.ts';
import { readRows } from '../support/runs/runRows.ts';
import { image, s3ClientOf, startSourceRuns, type SourceRuns } from '../support/runs/sourceRuns.ts';

const moto = await startMoto();
let runs: SourceRuns;
beforeAll(async () => {
  runs = await startSourceRuns();
});
afterAll(async () => {
  await runs.stop();
  await moto?.stop();
});

it('folders and a bucket in one run: rows name their source', async () => {
  const store = openStore('s3://bucket/shots', { env: runs.s3.env });
  await store.put('a.jpg', image);
  await store.put('bad.jpg', 'no image');
  const result = await runs.tag(['scans', 's3://bucket/shots', 'photos'], 'out-several', [
    '--shard-size',
    '2',
  ]);
  expect(result.code, result.stderr).toBe(3);
  expect(await runs.outcomes('out-several')).toEqual({
    'photos a.jpg': null,
    'photos deep/b.jpg': null,
    'scans a.jpg': null,
    'shots shots/a.jpg': null,
    'shots shots/bad.jpg': 'Image.Unsupported',
  });

  // The order of the arguments is nothing that a run depends on.
  const again = await runs.tag(['photos', 's3://bucket/shots', 'scans'], 'out-several', [
    '--shard-size',
    '2',
  ]);
  expect(again.code, again.stderr).toBe(0);

  await writeFile(runs.place.path('scans/new.jpg'), image);
  const since = await runs.tag(['photos', 's3://bucket/shots', 'scans'], 'out-since', [
    '--since',
    'out-several',
  ]);
  expect(since.code, since.stderr).toBe(0);
  expect(await runs.outcomes('out-since')).toEqual({ 'scans new.jpg': null });
});

it('a run of the first release is one to be incremental to', async () => {
  const first = await runs.tag(['photos'], 'out-old');
  expect(first.code, first.stderr).toBe(0);
  // Its record and plan as they were written then.
  const output = openStore(runs.place.path('out-old'));
  const record = (await readJson(output, RUN_RECORD)) as { kind?: string; spec: Record<string, unknown> };
  const { sources, vocabularies } = record.spec as Pick<TagSpec, 'sources' | 'vocabularies'>;
  const { categories: vocabulary, graph, topK, threshold } = vocabularies[0]!;
  const unwritten = { sources: undefined, keys: undefined, unsigned: undefined, requesterPays: undefined };
  const written = { source: sources[0]!.uri, vocabulary, graph, topK, threshold };
  const spec = { ...record.spec, ...unwritten, vocabularies: undefined, ...written };
  await output.put(RUN_RECORD, JSON.stringify({ ...record, kind: undefined, spec }));
  const plan = (await readJson(output, PLAN_INDEX)) as object;
  await output.put(PLAN_INDEX, JSON.stringify({ ...plan, duplicates: undefined, archived: undefined }));

  const same = await runs.tag(['photos'], 'out-old');
  expect(same.code, same.stderr).toBe(0);
  await writeFile(runs.place.path('photos/c.jpg'), image);
  const since = await runs.tag(['photos'], 'out-old-since', ['--since', 'out-old']);
  expect(since.code, since.stderr).toBe(0);
  expect(await runs.outcomes('out-old-since')).toEqual({ 'photos c.jpg': null });
});

describe('key lists', () => {
  it('say which keys to take, and are kept in the run', async () => {
    const store = openStore('s3://bucket/listed', { env: runs.s3.env });
    const { etag } = await store.put('a.jpg', image);
    await store.put('b c.jpg', image);
    await store.put('not-listed.jpg', image);
    await writeFile(
      runs.place.path('keys.csv'),
      `key,etag,size_bytes\nlisted/a.jpg,${etag},${image.length}\nlisted/b c.jpg,,\nlisted/a.jpg,${etag},\nlisted/gone.jpg,,\n`,
    );
    const result = await runs.tag(['s3://bucket/listed'], 's3://bucket/out-listed', ['--keys', 'keys.csv']);
    expect(result.code, result.stderr).toBe(3);
    expect(await runs.outcomes('s3://bucket/out-listed')).toEqual({
      'listed listed/a.jpg': null,
      'listed listed/b c.jpg': null,
      'listed listed/gone.jpg': 'Store.NotFound',
    });
    const output = openStore('s3://bucket/out-listed', { env: runs.s3.env });
    const manifest = (await readJson(output, MANIFEST)) as {
      plan: unknown;
      spec: { keys: { copy: string }[] };
    };
    expect(manifest.plan).toMatchObject({ keys: 3, duplicates: 1 });
    const { body } = await output.get(manifest.spec.keys[0]!.copy);
    expect(Buffer.from(body).toString()).toBe(await readFile(runs.place.path('keys.csv'), 'utf8'));
  });

  it('of failure rows, from the bucket, packed', async () => {
    const store = openStore('s3://bucket', { env: runs.s3.env });
    await store.put('lists/keys.jsonl.gz', gzipSync('{"uri":"s3://bucket/listed/a.jpg"}\n'));
    const result = await runs.tag(['s3://bucket/listed'], 'out-remote', [
      '--keys',
      's3://bucket/lists/keys.jsonl.gz',
    ]);
    expect(result.code, result.stderr).toBe(0);
    expect(await runs.outcomes('out-remote')).toEqual({ 'listed listed/a.jpg': null });
  });
});

it('an inventory is read instead of listing', async () => {
  const store = openStore('s3://bucket', { env: runs.s3.env });
  for (const key of ['inv/in/a+b c.jpg', 'inv/in/ä.jpg', 'inv/other.jpg']) await store.put(key, image);
  const rows = ['inv/in/ä.jpg', 'inv/in/a+b c.jpg', 'inv/in/gone.jpg', 'inv/other.jpg'].map((key) => ({
    key,
  }));
  const report = { bucket: 'bucket', destination: 'bucket', format: 'CSV' as const, files: [rows] };
  const manifest = `s3://bucket/${await putInventory(store, 'reports', report)}`;
  const result = await runs.tag(['s3://bucket/inv/in'], 'out-inventory', ['--inventory', manifest]);
  expect(result.code, result.stderr).toBe(3);
  expect(await runs.outcomes('out-inventory')).toEqual({
    'in inv/in/a+b c.jpg': null,
    'in inv/in/ä.jpg': null,
    'in inv/in/gone.jpg': 'Store.NotFound',
  });
  const whole = await runs.tag([manifest], 'out-whole');
  expect(whole.code, whole.stderr).toBe(3);
  expect(jsonOf(whole)).toMatchObject({ images: 4, tagged: 3 });
});

it('a public bucket is tagged without credentials', async () => {
  await ensureBucket('s3://public', { env: runs.s3.env });
  await openStore('s3://public', { env: runs.s3.env }).put('a.jpg', image);
  const Resource = ['arn:aws:s3:::public', 'arn:aws:s3:::public/*'];
  const statement = { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject', 's3:ListBucket'], Resource };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await s3ClientOf(runs.s3.env).send(new PutBucketPolicyCommand({ Bucket: 'public', Policy: policy }));
  const stranger = { AWS_ENDPOINT_URL_S3: runs.s3.endpoint, AWS_REGION: 'us-east-1' };
  const result = await runs.tag(['s3://public'], 'out-public', ['--unsigned'], stranger);
  expect(result.code, result.stderr).toBe(0);
  expect(await runs.outcomes('out-public')).toEqual({ 'public a.jpg': null });

  const refused = await runs.tag(['s3://public'], 'out-refused', [], stranger);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/no credentials found.*--unsigned/s);
});

describe.skipIf(!moto)('what only some servers have', () => {
  it('odd keys, old versions and archives of an inventory: no request is made for what is archived', async () => {
    const { env } = moto!;
    const proxy = await startFaultyProxy(env['AWS_ENDPOINT_URL_S3']!);
    try {
      await ensureBucket('s3://museum', { env });
      const client = s3ClientOf(env);
      await client.send(
        new PutBucketVersioningCommand({ Bucket: 'museum', VersioningConfiguration: { Status: 'Enabled' } }),
      );
      const put = async (key: string, body: Buffer, cold = false): Promise<string> =>
        (
          await client.send(
            new PutObjectCommand({
              Bucket: 'museum',
              Key: key,
              Body: body,
              ...(cold && { StorageClass: 'GLACIER' }),
            }),
          )
        ).VersionId!;
      const odd = ['/lead.jpg', 'a//b.jpg', 'p/../q.jpg', 'sp ace+%20.jpg'];
      const versions = new Map<string, string>();
      for (const key of odd) versions.set(key, await put(key, image));
      const frozen = ['cold/1.jpg', 'cold/2.jpg'];
      for (const key of frozen) await put(key, image, true);
      // Written over since the inventory was made: the run reads what was listed.
      await put('a//b.jpg', Buffer.from('no image any more'));
      const rows = [
        ...odd.map((key) => ({ key, versionId: versions.get(key)! })),
        { key: 'a//b.jpg', versionId: 'older', isLatest: false },
        ...frozen.map((key) => ({ key, storageClass: 'GLACIER' })),
      ];
      await ensureBucket('s3://reports', { env });
      const reports = openStore('s3://reports', { env });
      const manifest = await putInventory(reports, 'm', {
        ...{ bucket: 'museum', destination: 'reports', format: 'Parquet', files: [rows], versions: true },
      });
      const through = { ...env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
      const result = await runs.tag([`s3://reports/${manifest}`], 'out-museum', [], through);
      expect(result.code, result.stderr).toBe(3);
      const archived = Object.fromEntries(frozen.map((key) => [`museum ${key}`, 'Store.Archived']));
      const tagged = Object.fromEntries(odd.map((key) => [`museum ${key}`, null]));
      expect(await runs.outcomes('out-museum')).toEqual({ ...tagged, ...archived });
      expect(proxy.requests.filter((line) => line.includes('/museum/cold'))).toEqual([]);
      const { tags } = await readRows(openStore(runs.place.path('out-museum')));
      expect(new Map(tags.map(({ key, version_id: version }) => [key, version]))).toEqual(versions);

      // What was overwritten since is sampled as it was tagged.
      const where = "SELECT tags[1].label AS label FROM tags WHERE key = 'a//b.jpg'";
      const { stdout } = await runs.c2srt(['query', 'out-museum', where, '--csv'], through);
      const label = stdout.split('\n')[1]!;
      const sampled = await runs.c2srt(['sample', 'out-museum', '--label', label, '--out', 'old'], through);
      expect(sampled.code, sampled.stderr).toBe(0);
      for (const name of await readdir(runs.place.path('old')))
        if (name !== 'index.jsonl') expect(await readFile(runs.place.path('old', name))).toEqual(image);

      const listed = await runs.tag(['s3://museum/cold'], 'out-cold', [], through);
      expect(listed.code, listed.stderr).toBe(3);
      expect(jsonOf(listed)).toMatchObject({ failuresByCode: { 'Store.Archived': 2 } });
      expect(proxy.requests.filter((line) => line.includes('/museum/cold'))).toEqual([]);

      // One is restored: a retry asks again, and tags it.
      const restore = { Bucket: 'museum', Key: frozen[0]!, RestoreRequest: { Days: 1 } };
      await client.send(new RestoreObjectCommand(restore));
      const retried = await runs.c2srt(
        ['retry-failures', 'out-museum', '--out', 'out-restored', '--json'],
        through,
      );
      expect(retried.code, retried.stderr).toBe(3);
      expect(await runs.outcomes('out-restored')).toEqual({
        'museum cold/1.jpg': null,
        'museum cold/2.jpg': 'Store.Archived',
      });
      expect(
        proxy.requests.filter((line) => line.startsWith('GET') && line.includes('/museum/cold/2')),
      ).toEqual([]);
    } finally {
      await proxy.stop();
    }
  }, 240_000);
});

describe('refused at once, without a run', () => {
  it.each<[string, string[], string, string[], RegExp]>([
    [
      'an output inside any source',
      ['photos', 'scans'],
      'scans/out',
      [],
      /scans\/out lies inside the source .*scans/,
    ],
    [
      'a source within another',
      ['photos', 'photos/deep'],
      'none',
      [],
      /photos\/deep lies within .*OverlappingSources/s,
    ],
    ['the same source twice', ['photos', './photos'], 'none', [], /given twice/],
    ['no source', [], 'none', [], /No source is given/],
    [
      'a list that is not there',
      ['photos'],
      'none',
      ['--keys', 'nothing.csv'],
      /nothing\.csv cannot be read/,
    ],
    ['a list of another kind', ['photos'], 'none', ['--keys', 'categories.doc'], /its ending is none of/],
    ['a malformed list', ['photos'], 'none', ['--keys', 'bad.jsonl'], /bad\.jsonl: line 2: not valid JSON/],
    [
      'two lists that overlap',
      ['photos'],
      'none',
      ['--keys', 'one.txt', '--keys', 'two.txt'],
      /"a\.jpg": .*one\.txt, line 2 and .*two\.txt, line 1/,
    ],
    [
      'a key that cannot be one',
      ['photos'],
      'none',
      ['--keys', 'odd.txt'],
      /odd\.txt: line 1: key "..\/x" cannot be/,
    ],
    [
      'an inventory in ORC',
      ['s3://bucket/orc/2024-05-07T01-00Z/manifest.json'],
      'none',
      [],
      /Inventory\.Format/,
    ],
    [
      'an inventory of another bucket',
      ['photos'],
      'none',
      ['--inventory', 's3://bucket/reports/2024-05-07T01-00Z/manifest.json'],
      /lists s3:\/\/bucket, which no source lies in/,
    ],
  ])('%s', async (_, sources, out, flags, message) => {
    await writeFile(runs.place.path('bad.jsonl'), '"a.jpg"\n{"key"\n');
    await writeFile(runs.place.path('odd.txt'), '../x\n');
    await writeFile(runs.place.path('one.txt'), 'b.jpg\na.jpg\n');
    await writeFile(runs.place.path('two.txt'), 'a.jpg\n');
    await writeFile(runs.place.path('categories.doc'), 'x');
    const store = openStore('s3://bucket', { env: runs.s3.env });
    await putInventory(store, 'orc', { bucket: 'bucket', destination: 'bucket', format: 'ORC', files: [] });
    const result = await runs.tag(sources, out, flags);
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(await openStore(runs.place.path(out)).head(RUN_RECORD)).toBeUndefined();
  });
});
