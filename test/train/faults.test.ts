/** Trainings of the same inputs, one of them left in peace: whatever happens to the others, they end in its bytes. */
import { watch } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeAll, afterAll, expect, it } from 'vitest';
import { freePort } from '../../infra/ports.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, startCli, until, type CliOptions } from '../support/cli.ts';
import { copyScenes, scenes, trainDemo, writeManifest } from '../support/demoTraining.ts';
import { recordedActivities } from '../support/runs/runWatch.ts';
import {
  hasMerged,
  hasShard,
  pauseInShard,
  roundReceipts,
  stopInShard,
  trainedBytes,
} from '../support/runs/trainWatch.ts';
import { endTemporal, makeWorkplace, temporalOf, type Workplace } from '../support/workplace.ts';

const SHARDS = 2;
const ROUNDS = 4;
const CONFIG = `train: {
  shards: ${SHARDS}, outerStep: 0.8, outerMomentum: 0.6, batchSize: 8, epochs: 12, localSteps: 7, warmupSteps: 4,
  headRate: 3e-3, encoderRate: 1e-3, maxCategories: 32
}
`;

let place: Workplace;
/** Of the training that nothing happened to. */
let expected: Record<string, string>;
/** About how long a shard takes in a round. */
let workMs: number;

const train = (out: string, ...more: string[]): string[] =>
  trainDemo(out, '--validation', 'validation.jsonl', ...more);
const here = (env: CliOptions['env'] = {}): CliOptions => ({ cwd: place.dir, env });

beforeAll(async () => {
  place = await makeWorkplace();
  const images = scenes(0, 32);
  await writeManifest(place.path('train.jsonl'), images);
  // What was learnt by heart is known again: so that the last round is better than the start.
  await writeManifest(
    place.path('validation.jsonl'),
    await copyScenes(images.slice(0, 16), place.path('copies')),
  );
  await writeFile(place.path('c2srt.yaml'), CONFIG);
  const peaceful = await runCli(train('peaceful', '--json'), here());
  expect(peaceful.code, peaceful.stderr).toBe(0);
  const summary = jsonOf(peaceful);
  expect(summary).toMatchObject({ rounds: ROUNDS });
  // Else the model would be the starting one, whose bytes say nothing of the training.
  expect(summary['bestRound']).toBe(ROUNDS);
  expected = await trainedBytes(place.path('peaceful'));
  const receipt = JSON.parse(
    await readFile(place.path('peaceful', '_rounds', '000002', 'shard-000.json'), 'utf8'),
  ) as { seconds: number };
  workMs = 1000 * receipt.seconds;
});
afterEach(() => endTemporal(place.path('.c2srt')));
afterAll(() => place.clear());

it('two workers and the server killed: nothing that was done is done again, and the bytes are the same', async () => {
  const port = await freePort();
  const startTemporal = (): Promise<LocalTemporal> =>
    startOrAttachTemporal({ dir: place.path('temporal'), port });
  let temporal = await startTemporal();
  const env = { TEMPORAL_ADDRESS: temporal.address };
  const startWorker = () => startCli(['worker', '--shard-slots', '1', '--threads', '1'], here(env));
  const out = place.path('killed');
  const workers = [startWorker(), startWorker()];
  const follower = startCli(train('killed', '--heartbeat-timeout-s', '3', '--json'), here(env));

  const killOne = async (round: number): Promise<Record<string, string>> => {
    const { pid } = await stopInShard(out, temporal.address, round, workMs);
    const before = await roundReceipts(out);
    const worker = workers.find((one) => one.pid === pid)!;
    worker.kill('SIGKILL');
    await worker.ended;
    workers.splice(workers.indexOf(worker), 1, startWorker());
    return before;
  };
  const earlier = [await killOne(1)];
  await until('the first round is merged', () => hasMerged(out, 1));
  await endTemporal(place.path('temporal'));
  temporal = await startTemporal();
  earlier.push(await killOne(3));

  const { code, stdout, stderr } = await follower.ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ rounds: ROUNDS });
  expect(await trainedBytes(out)).toEqual(expected);

  const after = await roundReceipts(out);
  for (const before of earlier) expect(after).toMatchObject(before);
  // A receipt of each round but the one at work, and of the two merges.
  expect(Object.keys(earlier[1]!).length).toBeGreaterThanOrEqual(2 * SHARDS + 2);
  const activities = await recordedActivities(temporal.address);
  const trained = activities.filter(({ type }) => type === 'trainShard');
  expect(trained).toHaveLength(SHARDS * ROUNDS);
  expect(trained.filter(({ attempt }) => attempt > 1).length).toBeGreaterThanOrEqual(2);
  expect(activities.filter(({ type }) => type === 'extractFeatures')).toHaveLength(2);

  for (const worker of workers) {
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  }
  await temporal.stop();
}, 240_000);

it('interrupted in a round and resumed from the folder on another server: the same bytes', async () => {
  const out = place.path('resumed');
  const command = startCli(train('resumed', '--shard-slots', '1'), here());
  // Either may be the first: a task queue promises no order.
  const [round, first] = await until('one shard of a round has ended, another has not', async () => {
    for (let at = 2; at <= ROUNDS; at++) {
      const ended = await Promise.all([hasShard(out, at, 0), hasShard(out, at, 1)]);
      if (ended[0] !== ended[1]) return [at, ended[0] ? 0 : 1] as const;
    }
    return undefined;
  });
  const second = 1 - first;
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  expect(code, stderr).toBe(130);
  expect(await temporalOf(place.path('.c2srt'))).toBeUndefined();
  expect(await hasShard(out, round, second)).toBe(false);
  const before = await roundReceipts(out);

  await rm(place.path('.c2srt'), { recursive: true });
  const states = new Set<string>();
  const folder = place.path('resumed', '_rounds', `00000${round}`);
  const watcher = watch(folder, (_, name) => void states.add(name!));
  const resumed = await runCli(['resume', './resumed', '--json'], here());
  watcher.close();
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await trainedBytes(out)).toEqual(expected);
  expect(await roundReceipts(out)).toMatchObject(before);
  // The receipt alone would only keep a second attempt's state from counting.
  const written = [...states].filter((name) => name.startsWith('shard-') && name.endsWith('.safetensors'));
  const { state } = JSON.parse(before[`00000${round}/shard-00${first}.json`]!) as { state: string };
  const ofFirst = written.filter((name) => name.startsWith(`shard-00${first}.`));
  expect(ofFirst.filter((name) => !state.endsWith(name))).toEqual([]);
  expect(written.filter((name) => name.startsWith(`shard-00${second}.`))).toHaveLength(1);
}, 240_000);

it("paused at a round's boundary and resumed, with the outer momentum: the same bytes", async () => {
  const out = place.path('paused');
  const command = startCli(train('paused'), here());
  const server = await until('the server is up', () => temporalOf(place.path('.c2srt')));
  await pauseInShard(server.address);
  const { code, stderr } = await command.ended;
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(/is paused: asked for/);
  const merged = await until('rounds are merged', () => mergedRounds(out));
  expect(merged).toBeLessThan(ROUNDS);
  expect(await hasShard(out, merged + 1, 0)).toBe(false);

  const resumed = await runCli(['resume', './paused', '--json'], here());
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await trainedBytes(out)).toEqual(expected);
}, 240_000);

/** Rounds that are merged; undefined where none is. */
async function mergedRounds(out: string): Promise<number | undefined> {
  let rounds = 0;
  while (await hasMerged(out, rounds + 1)) rounds++;
  return rounds || undefined;
}
