/** Chains of runs over several sources, and of versions, from the command line. */
import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { corpusOf } from '../support/corpus.ts';
import { startFaultyProxy } from '../support/servers/faultyProxy.ts';
import { startMoto } from '../support/servers/moto.ts';
import { readRows } from '../support/runs/runRows.ts';
import { image, s3ClientOf, startSourceRuns, type SourceRuns } from '../support/runs/sourceRuns.ts';

const moto = await startMoto();
const otherImage = corpusOf(3, 0)[2]!.body;
let runs: SourceRuns;
beforeAll(async () => {
  runs = await startSourceRuns();
});
afterAll(async () => {
  await runs.stop();
  await moto?.stop();
});

it('a chain over several sources: one joins, failures are tried again, and every command knows them apart', async () => {
  const store = openStore('s3://bucket/shots', { env: runs.s3.env });
  await store.put('a.jpg', image);
  await store.put('bad.jpg', 'no image');
  await writeFile(runs.place.path('scans/new.jpg'), image);
  const first = await runs.tag(['photos', 's3://bucket/shots', 'scans'], 'out-first');
  expect(first.code, first.stderr).toBe(3);

  const left = await runs.tag(['photos', 's3://bucket/shots'], 'out-left', ['--since', 'out-first']);
  expect(left).toMatchObject({ code: 2, stdout: '' });
  expect(left.stderr).toMatch(/is a run of file:.*scans too/);

  // A source may join: all of it is new, and the others stay what they were.
  await mkdir(runs.place.path('Joining'));
  await writeFile(runs.place.path('Joining/a.jpg'), otherImage);
  await rm(runs.place.path('scans/a.jpg'));
  const all = ['Joining', 'photos', 'scans', 's3://bucket/shots'];
  const joined = await runs.tag(all, 'out-joined', ['--since', 'out-first']);
  expect(joined.code, joined.stderr).toBe(0);
  expect(await runs.outcomes('out-joined')).toEqual({ 'Joining a.jpg': null });
  await store.put('bad.jpg', image);
  const retried = await runs.c2srt([
    'retry-failures',
    'out-joined',
    '--out',
    'out-retried',
    '--codes',
    'all',
    '--json',
  ]);
  expect(retried.code, retried.stderr).toBe(0);
  expect(await runs.outcomes('out-retried')).toEqual({ 'shots shots/bad.jpg': null });

  const state = [
    ['Joining', 'a.jpg'],
    ['photos', 'a.jpg'],
    ['photos', 'deep/b.jpg'],
    ['scans', 'new.jpg'],
    ['shots', 'shots/a.jpg'],
    ['shots', 'shots/bad.jpg'],
  ];
  const asked = "SELECT [split_part(source, '/', -1), key] AS name, code FROM current ORDER BY source, key";
  const compacted = await runs.c2srt(['compact', 'out-retried', '--out', 'out-compact', '--json']);
  expect(compacted.code, compacted.stderr).toBe(0);
  for (const run of ['out-retried', 'out-compact']) {
    const { stdout, stderr } = await runs.c2srt(['query', run, asked, '--json']);
    expect(JSON.parse(stdout), stderr).toEqual(state.map((name) => ({ name, code: null })));
  }
  const long = await runs.c2srt([
    'compact',
    'out-retried',
    '--out',
    'out-long',
    '--layout',
    'long',
    '--json',
  ]);
  expect(long.code, long.stderr).toBe(0);
  const { tags: tagRows } = await readRows(openStore(runs.place.path('out-long')));
  expect(new Set(tagRows.map(({ source, key }) => `${source as string} ${key}`)).size).toBe(state.length);

  // Each image is fetched from its own source.
  const { label } = tagRows.find(({ source }) => (source as string).endsWith('/Joining'))!;
  const sampled = await runs.c2srt(['sample', 'out-compact', '--label', label as string, '--out', 'sample']);
  expect(sampled.code, sampled.stderr).toBe(0);
  const index = (await readFile(runs.place.path('sample/index.jsonl'), 'utf8')).trim().split('\n');
  const lines = index.map((line) => JSON.parse(line) as Record<'source' | 'file', string>);
  for (const { source, file } of lines)
    expect(await readFile(runs.place.path('sample', file))).toEqual(
      source.endsWith('/Joining') ? otherImage : image,
    );
  expect(new Set(lines.map(({ source }) => source)).size).toBeGreaterThan(1);
}, 240_000);

it.skipIf(!moto)(
  'a retry looks for the version that was planned, and those that there never were are failures',
  async () => {
    const { env } = moto!;
    const proxy = await startFaultyProxy(env['AWS_ENDPOINT_URL_S3']!);
    try {
      await ensureBucket('s3://versions', { env });
      const client = s3ClientOf(env);
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
        runs.place.path('versions.jsonl'),
        rows.map(([key, version_id]) => `${JSON.stringify({ key, version_id })}\n`).join(''),
      );
      const through = { ...env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
      proxy.fault = (line) => (/^GET \/versions\/[ab]/.test(line) ? { status: 403 } : 'pass');
      const flags = ['--keys', 'versions.jsonl', '--max-failure-rate', '1'];
      const first = await runs.tag(['s3://versions'], 'out-versions', flags, through);
      expect(first.code, first.stderr).toBe(3);
      expect(await runs.outcomes('out-versions')).toEqual({
        'versions a.jpg': 'Store.Forbidden',
        'versions b.jpg': 'Store.Forbidden',
        'versions c.jpg': 'Store.NotFound',
        'versions d.jpg': 'Store.NotFound',
      });

      proxy.fault = () => 'pass';
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'b.jpg', VersionId: b }));
      const retried = await runs.c2srt(
        ['retry-failures', 'out-versions', '--out', 'out-again', '--json'],
        through,
      );
      expect(retried.code, retried.stderr).toBe(0);
      expect(await runs.outcomes('out-again')).toEqual({ 'versions a.jpg': null });
      const { tags } = await readRows(openStore(runs.place.path('out-again')));
      expect(tags[0]!['version_id']).toBe(a);
      const { stdout } = await runs.c2srt(
        ['query', 'out-again', 'SELECT key FROM current', '--json'],
        through,
      );
      expect(JSON.parse(stdout)).toEqual([{ key: 'a.jpg' }]);
    } finally {
      await proxy.stop();
    }
  },
  240_000,
);
