/** What `trainModel` does in which order, on a real Temporal server. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rootFailure } from '../../cli/run/follow.ts';
import { installRuntime } from '../../workers/runtime.ts';
import { pauseUpdate, resumeUpdate } from '../../workflows/control/requests.ts';
import { trainProgressQuery } from '../../workflows/signals.ts';
import { asked } from '../support/runs/asked.ts';
import { until } from '../support/cli.ts';
import {
  MemoryTraining,
  notFinite,
  startTrainServer,
  validation,
  withTraining,
} from '../support/servers/trainServer.ts';

let server: TestWorkflowEnvironment;
let bundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  installRuntime({ level: 'WARN' });
  server = await startTrainServer();
  bundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
  });
});
afterAll(() => server.teardown());

const serving = ({ client, nativeConnection: native } = server) => ({
  client,
  native,
  workflows: { workflowBundle: bundle },
});
const run = (training: MemoryTraining) => withTraining(serving(), training, (handle) => handle.result());
const fail = (training: MemoryTraining) =>
  withTraining(serving(), training, (handle) =>
    handle.result().then(
      () => expect.unreachable('the run should have failed'),
      (error: unknown) => rootFailure(error),
    ),
  );
const progressOf = (handle: WorkflowHandle) => handle.query(trainProgressQuery);

test('rounds: the start is validated first, then each round trained, merged, validated and swept', async () => {
  const training = new MemoryTraining({ validateEvery: 2, shards: 1, features: [feature('train', 2)] });
  const result = await run(training);
  expect(training.calls.filter((call) => !call.startsWith('features'))).toEqual([
    ...['snapshot', 'prepare', 'index train', 'state', 'validate 0'],
    ...['train 1 0', 'merge 1', 'sweep 1 best 0'],
    ...['train 2 0', 'merge 2', 'validate 2', 'sweep 2 best 2'],
    ...['train 3 0', 'merge 3', 'validate 3', 'sweep 3 best 3'],
    'finish 3 best 3',
  ]);
  expect(training.calls.indexOf('state')).toBe(5);
  expect(result).toMatchObject({ rounds: 3, bestRound: 3, stoppedEarly: false });
});

const feature = (snapshot: 'train' | 'validation', pieces: number) =>
  ({
    hash: snapshot,
    snapshot,
    images: 64 * pieces,
    pieces,
    pieceImages: 64,
    sizeBytes: 1,
    extracted: false,
  }) as const;

test('shards of a round are at work at once, and pieces of features a bounded number', async () => {
  const training = new MemoryTraining({
    shards: 3,
    rounds: 1,
    steps: 10,
    features: [feature('train', 9), feature('validation', 2)],
  });
  let together = 0;
  const all = Promise.withResolvers<void>();
  training.atWork = () => {
    if (++together === 3) all.resolve();
    return all.promise;
  };
  await run(training);
  expect(training.called('features').sort()).toEqual(
    [
      ...Array.from({ length: 9 }, (_, piece) => `features train ${piece}`),
      ...['features validation 0', 'features validation 1'],
    ].sort(),
  );
  expect(training.called('train').sort()).toEqual(['train 1 0', 'train 1 1', 'train 1 2']);
});

test('an execution goes on from the folder: nothing is trained or validated twice', async () => {
  const training = new MemoryTraining({ shards: 1 }, { 3: 0.5 });
  training.state.rounds.push(
    { round: 1, loss: 1, images: 320, seconds: 1 },
    { round: 2, loss: 0.5, images: 320, seconds: 1 },
  );
  // Lost between the merge of round 2 and its validation.
  training.state.validations.push(validation(0, 1), validation(1, 7));
  const result = await run(training);
  expect(training.called('train', 'validate', 'merge', 'sweep', 'finish')).toEqual([
    ...['validate 2', 'train 3 0', 'merge 3', 'validate 3', 'sweep 3 best 1', 'finish 3 best 1'],
  ]);
  expect(result).toMatchObject({ rounds: 3, bestRound: 1 });
});

test('a run whose last round is validated is only finished', async () => {
  const training = new MemoryTraining({ rounds: 1, steps: 10 });
  training.state.rounds.push({ round: 1, loss: 1, images: 320, seconds: 1 });
  training.state.validations.push(validation(0, 1), validation(1, 7));
  await run(training);
  expect(training.calls).toEqual(['snapshot', 'prepare', 'state', 'finish 1 best 1']);
});

test('stops when validation no longer improves; the starting model can be the best', async () => {
  const training = new MemoryTraining({ patience: 2, rounds: 9, steps: 90 }, { 0: 5, 1: 4, 2: 5, 3: 9 });
  const result = await run(training);
  expect(training.called('merge')).toEqual(['merge 1', 'merge 2']);
  expect(training.calls.at(-1)).toBe('finish 2 best 0 early');
  expect(result).toMatchObject({ bestRound: 0, stoppedEarly: true });
});

test('where nothing is held back the last round is the model', async () => {
  const training = new MemoryTraining({ validationImages: 0 });
  const result = await run(training);
  expect(training.called('validate')).toEqual([]);
  expect(training.called('sweep').at(-1)).toBe('sweep 3 best 3');
  expect(result).toMatchObject({ bestRound: 3, start: null, best: null });
});

test('a pause begins at the end of the round, and resume goes on', async () => {
  const training = new MemoryTraining();
  const [started, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  training.atWork = (round) => {
    started.resolve();
    return round === 1 ? released.promise : undefined;
  };
  await withTraining(serving(), training, async (handle) => {
    await started.promise;
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toEqual({
      isPaused: false,
      inHand: 2,
      child: null,
    });
    expect(await progressOf(handle)).toMatchObject({ round: 0, pausing: true, paused: null, stage: 'train' });
    released.resolve();
    await until('the run is paused', async () => (await progressOf(handle)).paused !== null);
    expect(await progressOf(handle)).toMatchObject({
      ...{ round: 1, rounds: 3, steps: 50, stepsDone: 20, pausing: false, paused: 'asked for', loss: 1 },
      lastValidation: { round: 1, score: 1 },
      bestValidation: { round: 1 },
      startValidation: { round: 0 },
    });
    expect(training.calls.at(-1)).toBe('sweep 1 best 1');
    expect(await handle.executeUpdate(resumeUpdate, { args: [asked()] })).toMatchObject({
      wasPaused: 'asked for',
    });
    expect(await handle.result()).toMatchObject({ rounds: 3 });
    expect(await progressOf(handle)).toMatchObject({ stage: 'done', round: 3, stepsDone: 50, paused: null });
  });
  expect(training.called('train')).toHaveLength(6);
});

test('a pause that is taken back before the round ends is none', async () => {
  const training = new MemoryTraining();
  const [started, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  training.atWork = () => {
    started.resolve();
    return released.promise;
  };
  await withTraining(serving(), training, async (handle) => {
    await started.promise;
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toEqual({
      isPaused: false,
      inHand: 2,
      child: null,
    });
    expect(await handle.executeUpdate(resumeUpdate, { args: [asked()] })).toMatchObject({
      wasPaused: 'asked for',
    });
    released.resolve();
    expect(await handle.result()).toMatchObject({ rounds: 3 });
  });
});

test('a loss that is no number ends the run with its message; what was good is kept', async () => {
  const training = new MemoryTraining();
  training.atWork = async (round, shard) => {
    if (round < 2) return;
    if (shard === 0) throw notFinite();
    await training.untilCancelled();
  };
  const failure = await fail(training);
  expect(failure).toMatchObject({
    code: 'Train.NotFinite',
    message: 'The loss of step 12 in round 2 is not finite.',
  });
  // The other shard was told, and waited for.
  expect(training.cancelled).toBe(1);
  expect(training.called('merge', 'sweep', 'keep', 'finish')).toEqual([
    'merge 1',
    'sweep 1 best 1',
    'keep 1',
  ]);
});

test('a shard is tried again until it works', async () => {
  const training = new MemoryTraining({ shards: 1, rounds: 1, steps: 10 });
  training.atWork = () => {
    if (training.called('train').length < 3)
      throw ApplicationFailure.retryable('The store does not answer.', 'Store.Unavailable');
  };
  await run(training);
  expect(training.called('train')).toHaveLength(3);
});

test('cancelling stops the shards in work and merges nothing', async () => {
  const training = new MemoryTraining();
  training.atWork = () => training.untilCancelled();
  const failure = await withTraining(serving(), training, async (handle) => {
    await until('both shards are at work', () => training.called('train').length === 2);
    await handle.cancel();
    return handle.result().catch((error: unknown) => rootFailure(error));
  });
  expect(failure).toMatchObject({ code: 'Run.Cancelled' });
  expect(training.cancelled).toBe(2);
  expect(training.called('merge', 'finish')).toEqual([]);
});

test('a long run continues as new between pieces and between rounds, and does nothing twice', async () => {
  const tight = await startTrainServer({ 'limit.historyCount.suggestContinueAsNew': 60 });
  try {
    const rounds = 12;
    const training = new MemoryTraining({
      rounds,
      steps: 10 * rounds,
      features: [feature('train', 40), feature('validation', 3)],
    });
    const executions = await withTraining(serving(tight), training, async (handle) => {
      expect(await handle.result()).toMatchObject({ rounds, bestRound: rounds });
      let count = 0;
      for await (const _ of tight.client.workflow.list({ query: `WorkflowId = "${handle.workflowId}"` }))
        count++;
      return count;
    });
    expect(executions).toBeGreaterThan(2);
    expect(training.called('state').length).toBeGreaterThan(1);
    for (const name of ['features', 'train', 'merge', 'validate', 'finish']) {
      const calls = training.called(name);
      expect(new Set(calls).size).toBe(calls.length);
    }
    expect(training.called('features')).toHaveLength(43);
    expect(training.called('train')).toHaveLength(2 * rounds);
  } finally {
    await tight.teardown();
  }
});
