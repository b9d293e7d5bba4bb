/** What commands say of a training: within a round, at its end, from its folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainSummary, describeModel } from '../../cli/run/train/outcome.ts';
import { withinRound } from '../../cli/run/train/progress.ts';
import { describeTrainStatus, trainStatusOfFolder } from '../../cli/run/train/status.ts';
import { validationText } from '../../cli/run/train/texts.ts';
import { RUN_RECORD } from '../../data/run/layout.ts';
import { PREPARED, mergedStateKey, mergeReceiptKey, validationKey } from '../../data/training/trainLayout.ts';
import { openStore } from '../../data/store/open.ts';
import type { TrainProgress, TrainShardProgress } from '../../workflows/train/trainTypes.ts';
import { plan, validation } from '../support/servers/trainServer.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-status-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const progress: TrainProgress = {
  stage: 'train',
  concurrency: 16,
  images: 640,
  pieces: 0,
  piecesDone: 0,
  featureBytes: 0,
  rounds: 3,
  round: 1,
  shards: 2,
  steps: 50,
  stepsDone: 20,
  roundStartedMs: 1_000,
  roundSteps: 0,
  roundImages: 0,
  loss: 0.5,
  imagesPerSecond: 64,
  etaSeconds: 30,
  startValidation: null,
  lastValidation: null,
  bestValidation: null,
  pausing: false,
  paused: null,
};
const shard = (change: Partial<TrainShardProgress>): TrainShardProgress => ({
  round: 2,
  shard: 0,
  step: 5,
  images: 160,
  loss: 0.25,
  ...change,
});

test('within a round, what shards have done moves steps, loss and the time left', () => {
  const now = withinRound(progress, [shard({}), shard({ shard: 1, step: 1, loss: 0.75 })], 9_000);
  expect(now).toMatchObject({ stepsDone: 26, loss: 0.5, imagesPerSecond: 64, etaSeconds: 24 });
});

test('in the first round the pace is that of the shards at work', () => {
  const first = { ...progress, round: 0, stepsDone: 0, imagesPerSecond: null, etaSeconds: null, loss: null };
  expect(withinRound(first, [], 9_000)).toMatchObject({
    imagesPerSecond: null,
    etaSeconds: null,
    loss: null,
  });
  expect(withinRound({ ...first, roundSteps: 5, roundImages: 160 }, [shard({})], 9_000)).toMatchObject({
    ...{ stepsDone: 10, imagesPerSecond: 40, etaSeconds: 32, loss: 0.25 },
  });
});

test('between rounds nothing is added', () => {
  const between = { ...progress, roundStartedMs: null };
  expect(withinRound(between, [shard({})], 9_000)).toBe(between);
});

test('whatever shards report, no more is done than there is, and no time is negative', () => {
  const shards = fc.array(
    fc.record({
      round: fc.constant(2),
      shard: fc.nat(3),
      step: fc.nat(100),
      images: fc.nat(9999),
      loss: fc.option(fc.double({ noNaN: true, min: 0, max: 9 })),
    }),
  );
  fc.assert(
    fc.property(shards, fc.option(fc.nat(99)), fc.nat(9999), (atWork, etaSeconds, nowMs) => {
      const now = withinRound({ ...progress, etaSeconds }, atWork, nowMs);
      expect(now.stepsDone).toBeGreaterThanOrEqual(progress.stepsDone);
      expect(now.stepsDone).toBeLessThanOrEqual(progress.steps);
      expect(now.etaSeconds ?? 0).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('validations are told beside the start and the best', () => {
  const [start, second, third] = [validation(0, 22.7), validation(2, 24.1), validation(3, 23.5)];
  const told = (last: typeof start | null, best: typeof start | null) =>
    validationText({ startValidation: last && start, lastValidation: last, bestValidation: best });
  expect(told(null, null)).toEqual([]);
  expect(told(start, start)).toEqual(['validation 22.70 before training']);
  expect(told(second, second)).toEqual([
    'validation 24.10 in round 2 (the best so far, 22.70 before training)',
  ]);
  expect(told(third, second)).toEqual([
    'validation 23.50 in round 3 (best 24.10 in round 2, 22.70 before training)',
  ]);
  expect(told(third, start)).toEqual(['validation 23.50 in round 3 (best 22.70 before training)']);
});

test.each([
  [validation(2, 24.1), 2, /22\.70 before training, 24\.10 after round 2/],
  [validation(0, 22.7), 0, /no round was better than the starting model \(22\.70\)/],
  [null, 3, /none, as nothing was held back/],
])('the end says what the model is worth (%#)', (best, bestRound, text) => {
  const start = best && validation(0, 22.7);
  const result = {
    rounds: 3,
    stoppedEarly: false,
    bestRound,
    start,
    best,
    loss: 0.1,
    images: 960,
    failed: {},
  };
  const summary = trainSummary({ id: 'train-x', kind: 'train', output: 's3://b/m' }, result, 1.234);
  expect(summary).toMatchObject({ run: 'train-x', model: 's3://b/m', bestRound, seconds: 1.23 });
  const lines = describeModel(summary).join('\n');
  expect(lines).toMatch(text);
  expect(lines).toContain('c2srt tag SOURCE --categories FILE --model s3://b/m --out URI');
});

test('the folder by itself tells merged rounds and their validations', async () => {
  const output = openStore(join(dir, 'run'));
  const put = (key: string, value: unknown) => output.put(key, JSON.stringify(value));
  await put(RUN_RECORD, {});
  expect(describeTrainStatus(await trainStatusOfFolder(output))).toEqual(['  rounds   0 done']);
  await put(PREPARED, { version: 1, plan: plan() });
  for (const [round, loss] of [
    [1, 0.9],
    [2, 0.8],
  ] as const) {
    await put(mergeReceiptKey(round), { round, loss, images: 640, seconds: 1, state: 'x' });
    await put(validationKey(round), validation(round, 25 - round));
  }
  await put(validationKey(0), validation(0, 20));
  await output.put(mergedStateKey(3, 'lost'), 'an attempt that was lost before its receipt');
  const status = await trainStatusOfFolder(output);
  expect(status).toMatchObject({
    ...{ round: 2, rounds: 3, steps: 50, stepsDone: 40, loss: 0.8, images: 640 },
    startValidation: { score: 20 },
    lastValidation: { round: 2 },
    bestValidation: { round: 1, score: 24 },
  });
  expect(describeTrainStatus(status)).toEqual([
    '  images   640',
    '  rounds   2 of 3 done, 2 shards, step 40 of 50',
    '  loss     0.8000',
    '  scores   validation 23.00 in round 2 (best 24.00 in round 1, 20.00 before training)',
  ]);
});
