/** Retrainings to which something happens: they end in the model that an undisturbed one ends in, and do nothing twice. */
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../infra/ports.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import type { RetrainResult } from '../../workflows/retrain/retrainTypes.ts';
import { jsonOf, runCli, startCli, until, type CliProcess } from '../support/cli.ts';
import { copyScenes, DEMO, scenes, writeManifest } from '../support/demoTraining.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import {
  artifactsOf,
  productionIn,
  runsIn,
  writeConfig,
  writePipelineFiles,
} from '../support/runs/retrainPlace.ts';
import { recordedActivities } from '../support/runs/runWatch.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

/** A worker of each kind, and the request in whose middle it is killed: the first that writes what its stage makes. */
const KILLED = [
  ['orchestrate', 'snapshot', /^PUT \S*\/artifacts\/snapshot-\w+\/_snapshot\/train\//],
  ['gpu', 'features', /^PUT \S*\/artifacts\/features-\w+\/piece-000000\.safetensors/],
  ['orchestrate', 'graph', /^PUT \S*\/artifacts\/graph-\w+\/graph\.json/],
  ['gpu', 'train', /^PUT \S*\/artifacts\/train-\w+\/_rounds\/000001\/shard-001/],
  ['orchestrate', 'merge', /^PUT \S*\/artifacts\/train-\w+\/_rounds\/000002\/merged/],
  ['gpu', 'evaluate', /^PUT \S*\/artifacts\/evaluation-\w+\/_scores\//],
  ['orchestrate', 'gate', /^PUT \S*\/runs\/[^/]+\/_gate\//],
  ['orchestrate', 'publish', /^PUT \S*\/models\/scenes\/aliases\/production\.json/],
  ['gpu', 'tag', /^PUT \S*\/tags\/[^/]+\/_spool\//],
] as const;

let place: Workplace;
let s3: TestS3;
let proxy: FaultyProxy;
/** The version that an undisturbed retraining publishes. */
let expected: string;

beforeAll(async () => {
  s3 = await startTestS3();
  proxy = await startFaultyProxy(s3.endpoint);
  place = await makeWorkplace();
  await writePipelineFiles(place);
  const peaceful = await runCli(['retrain', '--json'], { cwd: place.dir });
  expect(peaceful.code, peaceful.stderr).toBe(0);
  expect(jsonOf(peaceful)).toMatchObject({ outcome: 'published' });
  expected = (await productionIn(place))!;
}, 240_000);
afterEach(async () => {
  proxy.fault = () => 'pass';
  // Each test counts what is on record of a server that nobody had before it.
  for (const state of ['.c2srt', 'temporal']) {
    await endTemporal(place.path(state));
    await rm(place.path(state), { recursive: true, force: true });
  }
});
afterAll(async () => {
  await proxy.stop();
  await s3.stop();
  await place.clear();
});

const publishedOf = (result: Record<string, unknown>): string => String(result['model']).split('/').at(-1)!;

it('a worker killed in each stage, and the server between: nothing that is there is made again', async () => {
  await writeConfig(place, {
    retrain: { store: 's3://bucket/killed', tagSource: join(DEMO, 'scenes') },
    more: { shardSize: 300 },
  });
  const port = await freePort();
  const startTemporal = () => startOrAttachTemporal({ dir: place.path('temporal'), port });
  let temporal = await startTemporal();
  const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint, TEMPORAL_ADDRESS: temporal.address };
  const startWorker = (queue: string): CliProcess =>
    startCli(['worker', '--queues', queue, '--threads', '1'], { cwd: place.dir, env });
  const workers = { orchestrate: startWorker('orchestrate'), gpu: startWorker('gpu') };

  let held: string | undefined;
  const arm = (pattern: RegExp): void => {
    held = undefined;
    proxy.fault = (line) => {
      if (!pattern.test(line)) return 'pass';
      held = line;
      return 'hold';
    };
  };
  arm(KILLED[0][2]);
  const follower = startCli(['retrain', '--heartbeat-timeout-s', '3', '--json'], { cwd: place.dir, env });
  for (const [index, [queue, stage]] of KILLED.entries()) {
    await until(`${stage} is at work`, () => held !== undefined, 150_000);
    workers[queue].kill('SIGKILL');
    await workers[queue].ended;
    const next = KILLED[index + 1];
    if (next) arm(next[2]);
    else proxy.fault = () => 'pass';
    if (stage === 'train') {
      await endTemporal(place.path('temporal'));
      temporal = await startTemporal();
    }
    workers[queue] = startWorker(queue);
  }
  const { code, stdout, stderr } = await follower.ended;
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout) as Record<string, unknown>;
  expect(result).toMatchObject({ outcome: 'published' });
  expect(publishedOf(result)).toBe(expected);

  const activities = await recordedActivities(temporal.address);
  const count = (type: string) => activities.filter((activity) => activity.type === type).length;
  // Two snapshots of one piece, two shards in four rounds, test and validation images.
  expect(count('extractFeatures')).toBe(2);
  expect(count('trainShard')).toBe(8);
  expect(count('scoreImages')).toBe(2);
  expect(count('finishGraph')).toBe(1);
  expect(count('publishCandidate')).toBe(1);
  const attempts = (type: string) => activities.filter((one) => one.type === type && one.attempt > 1).length;
  for (const type of [
    'freezeData',
    'extractFeatures',
    'finishGraph',
    'trainShard',
    'mergeRound',
    'scoreImages',
  ])
    expect(attempts(type), type).toBeGreaterThanOrEqual(1);

  for (const worker of Object.values(workers)) {
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  }
  await temporal.stop();
}, 400_000);

it('killed in the training, and resumed from its folder on another server', async () => {
  await writeConfig(place, { retrain: { store: './lost' } });
  const command = startCli(['retrain'], { cwd: place.dir });
  const receipt = async (): Promise<boolean> => {
    const [folder] = await artifactsOf(place, 'train', 'lost');
    if (folder === undefined) return false;
    return readFile(place.path('lost', 'artifacts', folder, '_rounds', '000002', 'merged.json')).then(
      () => true,
      () => false,
    );
  };
  await until('two rounds are merged', receipt, 150_000);
  command.kill('SIGKILL');
  await command.ended;
  await endTemporal(place.path('.c2srt'));
  await rm(place.path('.c2srt'), { recursive: true });

  const [run] = await runsIn(place, 'lost');
  const temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  const resumed = await runCli(['resume', run!, '--json'], { cwd: place.dir });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(publishedOf(jsonOf(resumed))).toBe(expected);
  const activities = await recordedActivities(temporal.address);
  const count = (type: string) => activities.filter((activity) => activity.type === type).length;
  expect(count('extractFeatures')).toBe(0);
  expect(count('finishGraph')).toBe(0);
  expect(count('trainShard')).toBeLessThanOrEqual(4);
  expect(count('trainShard')).toBeGreaterThan(0);
  await temporal.stop();
}, 300_000);

it('killed once it has published, it still tags when it is resumed', async () => {
  await writeConfig(place, {
    retrain: { store: 's3://bucket/tagging', tagSource: join(DEMO, 'scenes') },
    more: { shardSize: 300 },
  });
  const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
  let held = false;
  proxy.fault = (line) => {
    if (!/^PUT \S*\/tags\/[^/]+\/_spool\//.test(line)) return 'pass';
    held = true;
    return 'hold';
  };
  const command = startCli(['retrain'], { cwd: place.dir, env });
  await until('it tags', () => held, 150_000);
  command.kill('SIGKILL');
  await command.ended;
  await endTemporal(place.path('.c2srt'));
  await rm(place.path('.c2srt'), { recursive: true });
  proxy.fault = () => 'pass';

  const [run] = /s3:\/\/bucket\/tagging\/runs\/\S+/.exec(command.output())!;
  const resumed = await runCli(['resume', run, '--json'], { cwd: place.dir, env });
  expect(resumed.code, resumed.stderr).toBe(0);
  const result = jsonOf(resumed) as unknown as RetrainResult;
  expect(result.outcome).toBe('published');
  expect(result.stages.find(({ stage }) => stage === 'tag')).toMatchObject({
    state: 'done',
    summary: '600 of 600 images tagged',
  });
}, 300_000);

it('a store that answers 503 for a while is waited for', async () => {
  await writeConfig(place, { retrain: { store: 's3://bucket/busy' } });
  let refused = 0;
  let until503Ms = Infinity;
  proxy.fault = (line) => {
    // From the first piece of features on, for four seconds.
    if (/features-\w+\/piece/.test(line)) until503Ms = Math.min(until503Ms, Date.now() + 4_000);
    if (until503Ms === Infinity || Date.now() > until503Ms) return 'pass';
    refused++;
    return { status: 503 };
  };
  const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
  const result = await runCli(['retrain', '--json'], { cwd: place.dir, env });
  expect(result.code, result.stderr).toBe(0);
  expect(refused).toBeGreaterThan(3);
  expect(publishedOf(jsonOf(result))).toBe(expected);
}, 240_000);

it('images that are gone end it clearly; once they are back, it is resumed to the same model', async () => {
  const originals = scenes(0, 32);
  const copies = await copyScenes(originals, place.path('images'));
  await writeManifest(place.path('train.jsonl'), copies);
  await writeConfig(place, { retrain: { store: './gone' } });
  const missing = copies.slice(0, 4).map(({ uri }) => uri);
  for (const uri of missing) await rename(uri, `${uri}.away`);
  const failed = await runCli(['retrain'], { cwd: place.dir });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('4 of 32 images');
  expect(failed.stderr).toContain('Store.NotFound 4');
  expect(failed.stderr).toContain('c2srt resume');

  for (const uri of missing) await rename(`${uri}.away`, uri);
  const [run] = await runsIn(place, 'gone');
  const resumed = await runCli(['resume', run!, '--json'], { cwd: place.dir });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(jsonOf(resumed)).toMatchObject({ outcome: 'published' });
  const metrics = await trainingMetrics('gone');
  expect(metrics.unread.training.byCode).toEqual({});
}, 240_000);

it('an image that was changed since its etag was noted is left out and counted', async () => {
  const copies = await copyScenes(scenes(0, 32), place.path('pinned'));
  const rows = copies.map((row, i) => (i === 3 ? { ...row, etag: 'that-of-another-day' } : row));
  await writeManifest(place.path('train.jsonl'), rows);
  await writeConfig(place, { retrain: { store: './changed' }, train: { maxFailureRate: 0.1 } });
  const result = await runCli(['retrain', '--json'], { cwd: place.dir });
  expect(result.code, result.stderr).toBe(0);
  const { unread } = await trainingMetrics('changed');
  // Once in each of four epochs.
  expect(unread.training.byCode).toEqual({ 'Store.Changed': 4 });
  expect(unread.training.named[0]!.uri).toContain('/pinned/3.jpg');
}, 240_000);

it('two of one pipeline at once publish one model, made once', async () => {
  await writePipelineFiles(place, { retrain: { store: './twice' } });
  const temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  const env = { TEMPORAL_ADDRESS: temporal.address };
  const worker = startCli(['worker'], { cwd: place.dir, env });
  const both = await Promise.all([0, 1].map(() => runCli(['retrain', '--json'], { cwd: place.dir, env })));
  for (const { code, stderr } of both) expect(code, stderr).toBe(0);
  const outcomes = both.map((one) => (jsonOf(one) as unknown as RetrainResult).outcome);
  expect(outcomes).toContain('published');
  expect(both.map((one) => publishedOf(jsonOf(one)))).toEqual([expected, expected]);
  const activities = await recordedActivities(temporal.address);
  expect(activities.filter(({ type }) => type === 'trainShard')).toHaveLength(8);
  expect(await artifactsOf(place, 'train', 'twice')).toHaveLength(1);
  worker.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
  await temporal.stop();
}, 240_000);

async function trainingMetrics(store: string): Promise<{
  unread: { training: { byCode: Record<string, number>; named: { uri: string }[] } };
}> {
  const [folder] = await artifactsOf(place, 'train', store);
  const file = place.path(store, 'artifacts', folder!, 'metrics.json');
  return JSON.parse(await readFile(file, 'utf8')) as Awaited<ReturnType<typeof trainingMetrics>>;
}
