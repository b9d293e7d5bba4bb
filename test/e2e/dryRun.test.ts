/** `tag --dry-run` against what the run then does, on a real S3 server. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DryRunSummary } from '../../cli/dryRun/estimate.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import {
  endCommands,
  jsonOf,
  runCli,
  startCli,
  until,
  type CliOptions,
  type CliResult,
} from '../support/cli.ts';
import { corpusOf, putCorpus } from '../support/corpus.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { all, startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { TINY_MODEL, writeSlowModel } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 130;
const SHARD = 40;
const image = corpusOf(1, 0)[0]!.body;

let place: Workplace;
let s3: TestS3;
let proxy: FaultyProxy;
let temporal: LocalTemporal;
let source: ObjectStore;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  proxy = await startFaultyProxy(s3.endpoint);
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  source = openStore('s3://bucket/images', { env: s3.env });
  await putCorpus(source, IMAGES, 0.2);
  await source.put('notes/a.txt', 'no image');
  await source.put('folder/', '');
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  await mkdir(place.path('scans'));
  await mkdir(place.path('tmp'));
  for (const name of ['1.jpg', '2.jpg']) await writeFile(place.path('scans', name), image);
});
afterAll(async () => {
  await endCommands();
  await temporal.stop();
  await proxy.stop();
  await Promise.all([place.clear(), s3.stop()]);
});

const options = (): CliOptions => ({
  cwd: place.dir,
  env: { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint, TMPDIR: place.path('tmp') },
});
const argsOf = (out: string, model: string, args: string[]): string[] =>
  ['tag', ...args, '--categories', 'categories.txt', '--model', model, '--out', out].concat([
    '--exclude',
    '*.txt',
    '--shard-size',
    String(SHARD),
    '--max-failure-rate',
    '1',
  ]);
const tag = (out: string, ...args: string[]): Promise<CliResult> =>
  runCli(argsOf(out, TINY_MODEL, args), options());
const leftBehind = async (): Promise<string[]> =>
  (await readdir(place.path('tmp'))).filter((name) => name.startsWith('c2srt-'));
const dryRun = async (out: string, ...args: string[]): Promise<DryRunSummary> => {
  const result = await tag(out, ...args, '--dry-run', '--json');
  expect(result.code, result.stderr).toBe(0);
  return jsonOf(result) as unknown as DryRunSummary;
};

/** Requests since the last call, by operation and what they are about. */
function requestsMade(): Record<'listed' | 'fetched' | 'written' | 'other', number> {
  const made = { listed: 0, fetched: 0, written: 0, other: 0 };
  for (const line of proxy.requests.splice(0)) {
    if (/^GET \/bucket\/?\?.*prefix=images/.test(line)) made.listed++;
    else if (line.startsWith('GET /bucket/images/')) made.fetched++;
    else if (line.startsWith('PUT')) made.written++;
    else made.other++;
  }
  return made;
}

it('counts what the run then plans, tags no more than a sample, and writes nothing', async () => {
  const sources = ['scans', source.uri];
  proxy.requests.length = 0;
  const said = await dryRun('s3://bucket/out', ...sources);
  const dry = requestsMade();
  expect(dry).toMatchObject({ written: 0 });
  expect(dry.fetched).toBeLessThanOrEqual(64);
  expect(await all(openStore('s3://bucket/out', { env: s3.env }).list())).toEqual([]);
  expect(await leftBehind()).toEqual([]);

  const objects = await all(source.list());
  const sizeBytes = objects
    .filter(({ key }) => !key.endsWith('.txt'))
    .reduce((total, object) => total + object.sizeBytes, 0);
  expect(said).toMatchObject({
    sources: [
      { images: 2, sizeBytes: 2 * image.length },
      { source: source.uri, images: IMAGES, sizeBytes },
    ].toSorted((a) => (a.source === undefined ? -1 : 1)),
    images: IMAGES + 2,
    shards: Math.ceil((IMAGES + 2) / SHARD),
    excluded: 1,
    markers: 1,
    duplicates: 0,
  });
  const { sample, estimate } = said;
  expect(sample!.images).toBe(64);
  expect(Object.values(sample!.failuresByCode).reduce((a, b) => a + b, 0)).toBe(64 - sample!.tagged);
  expect(sample!.tagged).toBeLessThan(64);
  expect(sample!.imagesPerSecond).toBeGreaterThan(0);
  expect(estimate.taggingSeconds).toBeCloseTo(said.images / sample!.imagesPerSecond, 3);

  const result = await tag('s3://bucket/out', ...sources, '--json');
  expect(result.code, result.stderr).toBe(3);
  const real = requestsMade();
  expect(jsonOf(result)).toMatchObject({ images: said.images, parts: said.shards });
  // The command itself looks once whether the source is there.
  expect(real.listed - 1).toBeLessThanOrEqual(estimate.requests.input['ListObjectsV2']!);
  expect(real.fetched).toBe(estimate.requests.input['GetObject']);
  const written = estimate.requests.output['PutObject']! + estimate.requests.output['CopyObject']!;
  expect(written / real.written).toBeGreaterThan(0.5);
  expect(written / real.written).toBeLessThan(2);

  const again = await tag('s3://bucket/out', ...sources, '--dry-run');
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toMatch(/is finished already/);
  const other = await tag('s3://bucket/out', ...sources, '--dry-run', '--top-k', '1');
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(/topK: null -> 1/);
}, 240_000);

describe('says', () => {
  it('what of an incremental run is new, in words too', async () => {
    await source.put('new 1.jpg', image);
    await source.put('new 2.jpg', image);
    await source.delete(['notes/a.txt', corpusOf(IMAGES, 0.2)[0]!.key]);
    const flags = ['scans', source.uri, '--since', 's3://bucket/out'];
    expect(await dryRun('since', ...flags)).toMatchObject({
      images: 2,
      unchanged: IMAGES + 1,
      deleted: 1,
      sample: { images: 2, tagged: 2 },
      estimate: { requests: { output: {} } },
    });
    const { code, stdout } = await tag('since', ...flags, '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Would tag 2 images, .* in 1 shard\.$/m);
    expect(stdout).toMatch(/^Left out: 1 folder marker, 131 unchanged\.$/m);
    expect(stdout).toMatch(/^Gone since the earlier run: 1\.$/m);
    expect(stdout).toMatch(/^Nothing was written to file:.*since\.$/m);
  });

  it('sizes by the sample where a list has none', async () => {
    await writeFile(place.path('keys.txt'), '1.jpg\n2.jpg\n1.jpg\n');
    expect(await dryRun('listed', 'scans', '--keys', 'keys.txt')).toMatchObject({
      images: 2,
      duplicates: 1,
      sizeBytes: 2 * image.length,
    });
  });

  it('that there is nothing to do, without a model at work', async () => {
    expect(await dryRun('nothing', 'scans', '--include', '*.png')).toMatchObject({
      images: 0,
      excluded: 2,
      sample: null,
      estimate: { taggingSeconds: 0, outputBytes: 0 },
    });
  });
});

it('Ctrl-C in the middle of it stops cleanly', async () => {
  const model = await writeSlowModel(place.path('slow'), 20);
  const command = startCli(argsOf('stopped', model, [source.uri, '--dry-run']), options());
  await until('the sample is being tagged', () => command.output().includes('tagging a sample'));
  command.kill('SIGINT');
  const { code, stdout, stderr } = await command.ended;
  expect(stderr).toMatch(/Stopped\. Nothing was written to .*stopped\./);
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  expect(await leftBehind()).toEqual([]);
}, 240_000);
