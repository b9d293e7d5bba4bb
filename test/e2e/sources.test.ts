/** Every kind of source from the command line to the rows: several at once, key lists, inventories, versions, archives. */
import {
  DeleteObjectCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST, PLAN_INDEX, RUN_RECORD } from '../../data/run/layout.ts';
import { readJson } from '../../data/store/json.ts';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { corpusOf } from '../support/corpus.ts';
import { startFaultyProxy } from '../support/faultyProxy.ts';
import { putInventory } from '../support/inventory.ts';
import { startMoto } from '../support/moto.ts';
import { readRows, type Row } from '../support/runRows.ts';
import { startTestS3, type TestS3 } from '../support/s3.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const moto = await startMoto();
let place: Workplace;
let s3: TestS3;
let temporal: LocalTemporal;
const image = corpusOf(1, 0)[0]!.body;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  const { categories } = JSON.parse(
    readFileSync(new URL('../golden/tiny/text.json', import.meta.url), 'utf8'),
  ) as { categories: string[] };
  await writeFile(place.path('categories.txt'), categories.join('\n'));
  for (const folder of ['photos', 'scans', 'photos/deep']) await mkdir(place.path(folder));
  for (const name of ['photos/a.jpg', 'photos/deep/b.jpg', 'scans/a.jpg'])
    await writeFile(place.path(name), image);
});
afterAll(async () => {
  await temporal.stop();
  await Promise.all([place.clear(), s3.stop(), moto?.stop()]);
});

function tag(
  sources: string[],
  out: string,
  flags: string[] = [],
  env: Record<string, string> = s3.env,
): Promise<CliResult> {
  return runCli(
    [
      'tag',
      ...sources,
      '--categories',
      'categories.txt',
      '--out',
      out,
      '--model',
      TINY_MODEL,
      '--json',
      ...flags,
    ],
    { cwd: place.dir, env },
  );
}

const c2srt = (args: string[], env: Record<string, string> = s3.env): Promise<CliResult> =>
  runCli(args, { cwd: place.dir, env });

const clientOf = (env: Record<string, string>): S3Client =>
  new S3Client({
    endpoint: env['AWS_ENDPOINT_URL_S3']!,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! },
  });

/** What became of each object: `source key -> code`, null for tags. */
async function outcomes(out: string, env = s3.env): Promise<Record<string, unknown>> {
  const rows = await readRows(openStore(out.startsWith('s3:') ? out : place.path(out), { env }));
  const named: Row[] = [...rows.tags.map((row) => ({ ...row, code: null })), ...rows.failures];
  const found = named.map(({ source, key, code }) => [
    `${(source as string).split('/').at(-1)} ${key}`,
    code,
  ]);
  expect(new Set(found.map(([name]) => name)).size).toBe(found.length);
  return Object.fromEntries(found) as Record<string, unknown>;
}

it('folders and a bucket in one run: rows name their source', async () => {
  const store = openStore('s3://bucket/shots', { env: s3.env });
  await store.put('a.jpg', image);
  await store.put('bad.jpg', 'no image');
  const result = await tag(['scans', 's3://bucket/shots', 'photos'], 'out-several', ['--shard-size', '2']);
  expect(result.code, result.stderr).toBe(3);
  expect(await outcomes('out-several')).toEqual({
    'photos a.jpg': null,
    'photos deep/b.jpg': null,
    'scans a.jpg': null,
    'shots shots/a.jpg': null,
    'shots shots/bad.jpg': 'Image.Unsupported',
  });

  // The order of the arguments is nothing that a run depends on.
  const again = await tag(['photos', 's3://bucket/shots', 'scans'], 'out-several', ['--shard-size', '2']);
  expect(again.code, again.stderr).toBe(0);

  await writeFile(place.path('scans/new.jpg'), image);
  const since = await tag(['photos', 's3://bucket/shots', 'scans'], 'out-since', ['--since', 'out-several']);
  expect(since.code, since.stderr).toBe(0);
  expect(await outcomes('out-since')).toEqual({ 'scans new.jpg': null });

  const left = await tag(['photos', 's3://bucket/shots'], 'out-left', ['--since', 'out-since']);
  expect(left).toMatchObject({ code: 2, stdout: '' });
  expect(left.stderr).toMatch(/is a run of file:.*scans too/);

  // A source may join: all of it is new, and the others stay what they were.
  await mkdir(place.path('Joining'));
  await writeFile(place.path('Joining/a.jpg'), image);
  await rm(place.path('scans/a.jpg'));
  const all = ['Joining', 'photos', 'scans', 's3://bucket/shots'];
  const joined = await tag(all, 'out-joined', ['--since', 'out-since']);
  expect(joined.code, joined.stderr).toBe(0);
  expect(await outcomes('out-joined')).toEqual({ 'Joining a.jpg': null });
  await store.put('bad.jpg', image);
  const retried = await c2srt([
    'retry-failures',
    'out-joined',
    '--out',
    'out-retried',
    '--codes',
    'all',
    '--json',
  ]);
  expect(retried.code, retried.stderr).toBe(0);
  expect(await outcomes('out-retried')).toEqual({ 'shots shots/bad.jpg': null });

  const state = [
    ['Joining', 'a.jpg'],
    ['photos', 'a.jpg'],
    ['photos', 'deep/b.jpg'],
    ['scans', 'new.jpg'],
    ['shots', 'shots/a.jpg'],
    ['shots', 'shots/bad.jpg'],
  ];
  const asked = "SELECT [split_part(source, '/', -1), key] AS name, code FROM current ORDER BY source, key";
  const compacted = await c2srt(['compact', 'out-retried', '--out', 'out-compact', '--json']);
  expect(compacted.code, compacted.stderr).toBe(0);
  for (const run of ['out-retried', 'out-compact']) {
    const { stdout, stderr } = await c2srt(['query', run, asked, '--json']);
    expect(JSON.parse(stdout), stderr).toEqual(state.map((name) => ({ name, code: null })));
  }
  const long = await c2srt(['compact', 'out-retried', '--out', 'out-long', '--layout', 'long', '--json']);
  expect(long.code, long.stderr).toBe(0);
  const { stdout } = await c2srt(['query', 'out-long', 'SELECT DISTINCT source, key FROM tags', '--json']);
  expect(JSON.parse(stdout)).toHaveLength(state.length);

  // Each image is fetched from its own source.
  const { label } = JSON.parse(
    (
      await c2srt([
        'query',
        'out-retried',
        'SELECT unnest(tags).label AS label FROM current LIMIT 1',
        '--json',
      ])
    ).stdout.slice(1, -2),
  ) as { label: string };
  const sampled = await c2srt(['sample', 'out-compact', '--label', label, '--out', 'sample']);
  expect(sampled.code, sampled.stderr).toBe(0);
  const index = (await readFile(place.path('sample/index.jsonl'), 'utf8')).trim().split('\n');
  expect(index.map((line) => (JSON.parse(line) as Row)['source']).sort()).toHaveLength(state.length);
}, 120_000);

it('a run of the first release is one to be incremental to', async () => {
  const first = await tag(['photos'], 'out-old');
  expect(first.code, first.stderr).toBe(0);
  // Its record and plan as they were written then.
  const output = openStore(place.path('out-old'));
  const record = (await readJson(output, RUN_RECORD)) as { kind?: string; spec: Record<string, unknown> };
  const { sources } = record.spec as { sources: { uri: string }[] };
  const unwritten = { sources: undefined, keys: undefined, unsigned: undefined, requesterPays: undefined };
  const spec = { ...record.spec, ...unwritten, source: sources[0]!.uri };
  await output.put(RUN_RECORD, JSON.stringify({ ...record, kind: undefined, spec }));
  const plan = (await readJson(output, PLAN_INDEX)) as object;
  await output.put(PLAN_INDEX, JSON.stringify({ ...plan, duplicates: undefined, archived: undefined }));

  const same = await tag(['photos'], 'out-old');
  expect(same.code, same.stderr).toBe(0);
  await writeFile(place.path('photos/c.jpg'), image);
  const since = await tag(['photos'], 'out-old-since', ['--since', 'out-old']);
  expect(since.code, since.stderr).toBe(0);
  expect(await outcomes('out-old-since')).toEqual({ 'photos c.jpg': null });
});

describe('key lists', () => {
  it('say which keys to take, and are kept in the run', async () => {
    const store = openStore('s3://bucket/listed', { env: s3.env });
    const { etag } = await store.put('a.jpg', image);
    await store.put('b c.jpg', image);
    await store.put('not-listed.jpg', image);
    await writeFile(
      place.path('keys.csv'),
      `key,etag,size_bytes\nlisted/a.jpg,${etag},${image.length}\nlisted/b c.jpg,,\nlisted/a.jpg,${etag},\nlisted/gone.jpg,,\n`,
    );
    const result = await tag(['s3://bucket/listed'], 's3://bucket/out-listed', ['--keys', 'keys.csv']);
    expect(result.code, result.stderr).toBe(3);
    expect(await outcomes('s3://bucket/out-listed')).toEqual({
      'listed listed/a.jpg': null,
      'listed listed/b c.jpg': null,
      'listed listed/gone.jpg': 'Store.NotFound',
    });
    const output = openStore('s3://bucket/out-listed', { env: s3.env });
    const manifest = (await readJson(output, MANIFEST)) as {
      plan: unknown;
      spec: { keys: { copy: string }[] };
    };
    expect(manifest.plan).toMatchObject({ keys: 3, duplicates: 1 });
    const { body } = await output.get(manifest.spec.keys[0]!.copy);
    expect(Buffer.from(body).toString()).toBe(await readFile(place.path('keys.csv'), 'utf8'));
  });

  it('of failure rows, from the bucket, packed', async () => {
    const store = openStore('s3://bucket', { env: s3.env });
    await store.put('lists/keys.jsonl.gz', gzipSync('{"uri":"s3://bucket/listed/a.jpg"}\n'));
    const result = await tag(['s3://bucket/listed'], 'out-remote', [
      '--keys',
      's3://bucket/lists/keys.jsonl.gz',
    ]);
    expect(result.code, result.stderr).toBe(0);
    expect(await outcomes('out-remote')).toEqual({ 'listed listed/a.jpg': null });
  });
});

it('an inventory is read instead of listing', async () => {
  const store = openStore('s3://bucket', { env: s3.env });
  for (const key of ['inv/in/a+b c.jpg', 'inv/in/ä.jpg', 'inv/other.jpg']) await store.put(key, image);
  const rows = ['inv/in/ä.jpg', 'inv/in/a+b c.jpg', 'inv/in/gone.jpg', 'inv/other.jpg'].map((key) => ({
    key,
  }));
  const report = { bucket: 'bucket', destination: 'bucket', format: 'CSV' as const, files: [rows] };
  const manifest = `s3://bucket/${await putInventory(store, 'reports', report)}`;
  const result = await tag(['s3://bucket/inv/in'], 'out-inventory', ['--inventory', manifest]);
  expect(result.code, result.stderr).toBe(3);
  expect(await outcomes('out-inventory')).toEqual({
    'in inv/in/a+b c.jpg': null,
    'in inv/in/ä.jpg': null,
    'in inv/in/gone.jpg': 'Store.NotFound',
  });
  const whole = await tag([manifest], 'out-whole');
  expect(whole.code, whole.stderr).toBe(3);
  expect(jsonOf(whole)).toMatchObject({ images: 4, tagged: 3 });
});

it('a public bucket is tagged without credentials', async () => {
  await ensureBucket('s3://public', { env: s3.env });
  await openStore('s3://public', { env: s3.env }).put('a.jpg', image);
  const Resource = ['arn:aws:s3:::public', 'arn:aws:s3:::public/*'];
  const statement = { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject', 's3:ListBucket'], Resource };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await clientOf(s3.env).send(new PutBucketPolicyCommand({ Bucket: 'public', Policy: policy }));
  const stranger = { AWS_ENDPOINT_URL_S3: s3.endpoint, AWS_REGION: 'us-east-1' };
  const result = await tag(['s3://public'], 'out-public', ['--unsigned'], stranger);
  expect(result.code, result.stderr).toBe(0);
  expect(await outcomes('out-public')).toEqual({ 'public a.jpg': null });

  const refused = await tag(['s3://public'], 'out-refused', [], stranger);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/no credentials found.*--unsigned/s);
});

describe.skipIf(!moto)('what only some servers have', () => {
  it('odd keys, old versions and archives of an inventory: no request is made for what is archived', async () => {
    const { env } = moto!;
    const proxy = await startFaultyProxy(env['AWS_ENDPOINT_URL_S3']!);
    try {
      await ensureBucket('s3://museum', { env });
      const client = clientOf(env);
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
      const result = await tag([`s3://reports/${manifest}`], 'out-museum', [], through);
      expect(result.code, result.stderr).toBe(3);
      const archived = Object.fromEntries(frozen.map((key) => [`museum ${key}`, 'Store.Archived']));
      const tagged = Object.fromEntries(odd.map((key) => [`museum ${key}`, null]));
      expect(await outcomes('out-museum')).toEqual({ ...tagged, ...archived });
      expect(proxy.requests.filter((line) => line.includes('/museum/cold'))).toEqual([]);
      const { tags } = await readRows(openStore(place.path('out-museum')));
      expect(new Map(tags.map(({ key, version_id: version }) => [key, version]))).toEqual(versions);

      // What was overwritten since is sampled as it was tagged.
      const where = "SELECT tags[1].label AS label FROM tags WHERE key = 'a//b.jpg'";
      const { stdout } = await c2srt(['query', 'out-museum', where, '--csv'], through);
      const label = stdout.split('\n')[1]!;
      const sampled = await c2srt(['sample', 'out-museum', '--label', label, '--out', 'old'], through);
      expect(sampled.code, sampled.stderr).toBe(0);
      for (const name of await readdir(place.path('old')))
        if (name !== 'index.jsonl') expect(await readFile(place.path('old', name))).toEqual(image);

      const listed = await tag(['s3://museum/cold'], 'out-cold', [], through);
      expect(listed.code, listed.stderr).toBe(3);
      expect(jsonOf(listed)).toMatchObject({ failuresByCode: { 'Store.Archived': 2 } });
      expect(proxy.requests.filter((line) => line.includes('/museum/cold'))).toEqual([]);

      // One is restored: a retry asks again, and tags it.
      const restore = { Bucket: 'museum', Key: frozen[0]!, RestoreRequest: { Days: 1 } };
      await client.send(new RestoreObjectCommand(restore));
      const retried = await c2srt(
        ['retry-failures', 'out-museum', '--out', 'out-restored', '--json'],
        through,
      );
      expect(retried.code, retried.stderr).toBe(3);
      expect(await outcomes('out-restored')).toEqual({
        'museum cold/1.jpg': null,
        'museum cold/2.jpg': 'Store.Archived',
      });
      expect(
        proxy.requests.filter((line) => line.startsWith('GET') && line.includes('/museum/cold/2')),
      ).toEqual([]);
    } finally {
      await proxy.stop();
    }
  }, 120_000);

  it('a retry looks for the version that was planned, and those that there never were are failures', async () => {
    const { env } = moto!;
    const proxy = await startFaultyProxy(env['AWS_ENDPOINT_URL_S3']!);
    try {
      await ensureBucket('s3://versions', { env });
      const client = clientOf(env);
      const Bucket = 'versions';
      await client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      const put = async (Key: string, Body: Buffer): Promise<string> =>
        (await client.send(new PutObjectCommand({ Bucket, Key, Body }))).VersionId!;
      const [a, b] = [await put('a.jpg', image), await put('b.jpg', image)];
      for (const key of ['a.jpg', 'b.jpg']) await put(key, Buffer.from('no image any more'));
      const { VersionId: marker } = await client.send(new DeleteObjectCommand({ Bucket, Key: 'c.jpg' }));
      const rows = [
        ['a.jpg', a],
        ['b.jpg', b],
        ['c.jpg', marker!],
        ['d.jpg', 'of another age'],
      ];
      await writeFile(
        place.path('versions.jsonl'),
        rows.map(([key, version_id]) => `${JSON.stringify({ key, version_id })}\n`).join(''),
      );
      const through = { ...env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
      proxy.fault = (line) => (/^GET \/versions\/[ab]/.test(line) ? { status: 403 } : 'pass');
      const flags = ['--keys', 'versions.jsonl', '--max-failure-rate', '1'];
      const first = await tag(['s3://versions'], 'out-versions', flags, through);
      expect(first.code, first.stderr).toBe(3);
      expect(await outcomes('out-versions')).toEqual({
        'versions a.jpg': 'Store.Forbidden',
        'versions b.jpg': 'Store.Forbidden',
        'versions c.jpg': 'Store.NotFound',
        'versions d.jpg': 'Store.NotFound',
      });

      proxy.fault = () => 'pass';
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'b.jpg', VersionId: b }));
      const retried = await c2srt(
        ['retry-failures', 'out-versions', '--out', 'out-again', '--json'],
        through,
      );
      expect(retried.code, retried.stderr).toBe(0);
      expect(await outcomes('out-again')).toEqual({ 'versions a.jpg': null });
      const { tags } = await readRows(openStore(place.path('out-again')));
      expect(tags[0]!['version_id']).toBe(a);
      const { stdout } = await c2srt(['query', 'out-again', 'SELECT key FROM current', '--json'], through);
      expect(JSON.parse(stdout)).toEqual([{ key: 'a.jpg' }]);
    } finally {
      await proxy.stop();
    }
  }, 120_000);
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
    await writeFile(place.path('bad.jsonl'), '"a.jpg"\n{"key"\n');
    await writeFile(place.path('odd.txt'), '../x\n');
    await writeFile(place.path('one.txt'), 'b.jpg\na.jpg\n');
    await writeFile(place.path('two.txt'), 'a.jpg\n');
    await writeFile(place.path('categories.doc'), 'x');
    const store = openStore('s3://bucket', { env: s3.env });
    await putInventory(store, 'orc', { bucket: 'bucket', destination: 'bucket', format: 'ORC', files: [] });
    const result = await tag(sources, out, flags);
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(await openStore(place.path(out)).head(RUN_RECORD)).toBeUndefined();
  });
});
