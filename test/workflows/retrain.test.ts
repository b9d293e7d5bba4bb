import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { retrainOnSchedule } from '../../workflows/retrain/retrain.ts';
import { rootFailure } from '../../cli/run/follow.ts';
import { PAUSE_ASKED, pauseUpdate, resumeUpdate } from '../../workflows/control/requests.ts';
import { asked } from '../support/runs/asked.ts';
import { decisionSignal, retrainProgressQuery, WAITS_FOR_APPROVAL } from '../../workflows/signals.ts';
import { until } from '../support/cli.ts';
import {
  bundleRetrain,
  CONTROLS,
  MemoryStore,
  stageFailure,
  withRetraining,
} from '../support/servers/retrainServer.ts';
import { startTrainServer } from '../support/servers/trainServer.ts';

let server: TestWorkflowEnvironment;
let bundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  server = await startTrainServer();
  bundle = await bundleRetrain();
});
afterAll(async () => server.teardown());

const serving = () => ({ client: server.client, native: server.nativeConnection, bundle });
const run = (store: MemoryStore) =>
  withRetraining(serving(), store, async (start) => (await start()).result());
const fail = (store: MemoryStore) =>
  withRetraining(serving(), store, async (start) =>
    (await start()).result().then(
      () => expect.unreachable('the run should have failed'),
      (error: unknown) => rootFailure(error),
    ),
  );
const statesOf = (store: MemoryStore) => store.notes.map(({ stage, state }) => `${stage} ${state}`);

const PUBLISHED = [
  ...['open', 'freeze', 'plan', 'features train 0', 'features train 1', 'index train'],
  ...['begin graph', 'work graph', 'begin train', 'work train', 'begin evaluate', 'work evaluate'],
  ...['judge', 'publish', 'begin tag', 'work tag', 'finish published'],
];

test('the stages, in order', async () => {
  const store = new MemoryStore();
  expect(await run(store)).toMatchObject({ outcome: 'published', model: 'file:///store/models/m/0123' });
  expect(store.calls).toEqual(PUBLISHED);
  expect(statesOf(store)).toEqual([
    ...['snapshot done', 'features done', 'graph done', 'train done', 'evaluate done'],
    ...['gate done', 'approval skipped', 'publish done', 'tag done'],
  ]);
});

test('what is there is not made again', async () => {
  const store = new MemoryStore();
  await run(store);
  store.calls.splice(0, store.calls.length, 'index train');
  store.notes.length = 0;
  await run(store);
  expect(store.called('work', 'features')).toEqual([]);
  expect(statesOf(store)).toEqual([
    ...['snapshot done', 'features reused', 'graph reused', 'train reused', 'evaluate reused'],
    ...['gate done', 'approval skipped', 'publish done', 'tag reused'],
  ]);
});

test('data of which a model was published end it before anything is asked of a device', async () => {
  const store = new MemoryStore();
  store.published = 'file:///store/models/m/9999';
  expect(await run(store)).toMatchObject({ outcome: 'unchanged', model: 'file:///store/models/m/9999' });
  expect(store.calls).toEqual(['open', 'freeze', 'finish unchanged']);
});

test('a candidate that fails the gate is not published', async () => {
  const store = new MemoryStore();
  store.verdict = { passed: false, rules: ['mAP on all categories: failed.'], judgedMs: Date.now() };
  expect(await run(store)).toMatchObject({
    outcome: 'rejected',
    model: null,
    why: ['mAP on all categories: failed.'],
  });
  expect(store.called('publish', 'begin').at(-1)).toBe('begin evaluate');
});

test("a stage's failure is the run's, and the next execution does what is left", async () => {
  const store = new MemoryStore();
  store.atWork = (kind) => {
    if (kind === 'train') throw stageFailure();
  };
  expect(await fail(store)).toMatchObject({ code: 'Train.NotFinite' });
  store.atWork = () => undefined;
  const before = store.calls.length;
  expect(await run(store)).toMatchObject({ outcome: 'published' });
  expect(store.calls.slice(before).filter((call) => call.startsWith('work'))).toEqual([
    ...['work train', 'work evaluate', 'work tag'],
  ]);
});

describe('approval', () => {
  const waiting = (hours: number) => {
    const store = new MemoryStore({ approvalHours: hours });
    store.verdict.judgedMs = Date.now();
    return store;
  };

  for (const approved of [true, false])
    test(`a candidate that a person has ${approved ? 'approved' : 'rejected'}`, async () => {
      const store = waiting(1);
      const result = await withRetraining(serving(), store, async (start) => {
        const handle = await start();
        await until('it waits', async () => (await handle.query(retrainProgressQuery)).paused !== null);
        expect(await handle.query(retrainProgressQuery)).toMatchObject({
          stage: 'approval',
          paused: WAITS_FOR_APPROVAL,
        });
        expect(store.called('publish')).toEqual([]);
        store.decision = { approved, by: 'someone', reason: 'looked at it' };
        await handle.signal(decisionSignal);
        return handle.result();
      });
      expect(result.outcome).toBe(approved ? 'published' : 'rejected');
      expect(store.called('publish')).toHaveLength(approved ? 1 : 0);
      expect(store.notes.find(({ stage }) => stage === 'approval')!.summary).toBe(
        `${approved ? 'approved' : 'rejected'} by someone: looked at it`,
      );
    });

  test('a decision from before the run went on counts', async () => {
    const store = waiting(1);
    store.decision = { approved: true, by: 'someone', reason: '' };
    expect(await run(store)).toMatchObject({ outcome: 'published' });
  });

  test('the time counts from the verdict, however late the run goes on', async () => {
    const store = waiting(1);
    store.verdict.judgedMs = Date.now() - 3_600_001;
    expect(await run(store)).toMatchObject({ outcome: 'rejected' });
    expect(store.notes.find(({ stage }) => stage === 'approval')!.summary).toBe(
      'nobody approved it in 1 hours',
    );
  });

  test('nobody decides in time', async () => {
    expect(await run(waiting(2 / 3600))).toMatchObject({ outcome: 'rejected' });
  });
});

test('two at once make each artifact once', async () => {
  const store = new MemoryStore();
  const first = Promise.withResolvers<void>();
  store.atWork = (kind) => (kind === 'train' ? first.promise : undefined);
  await withRetraining(serving(), store, async (start) => {
    const one = await start();
    await until('the first trains', () => store.called('work').includes('work train'));
    const other = await start();
    await until('the second waits', async () => (await other.query(retrainProgressQuery)).isWaiting);
    first.resolve();
    expect(await Promise.all([one.result(), other.result()])).toMatchObject([
      { outcome: 'published' },
      { outcome: 'published' },
    ]);
  });
  for (const work of ['work graph', 'work train', 'work evaluate'])
    expect(store.calls.filter((call) => call === work)).toHaveLength(1);
  const trained = store.notes.filter(({ stage }) => stage === 'train').map(({ state }) => state);
  expect(trained.sort()).toEqual(['done', 'reused']);
});

test('one that waits for another takes over where that fails', async () => {
  const store = new MemoryStore();
  const first = Promise.withResolvers<void>();
  store.atWork = (kind) => (kind === 'train' ? first.promise : undefined);
  await withRetraining(serving(), store, async (start) => {
    const one = await start();
    await until('the first trains', () => store.called('work').includes('work train'));
    const other = await start();
    await until('the second waits', async () => (await other.query(retrainProgressQuery)).isWaiting);
    store.atWork = () => undefined;
    first.reject(stageFailure());
    await expect(one.result()).rejects.toThrow();
    expect(await other.result()).toMatchObject({ outcome: 'published' });
  });
  expect(store.calls.filter((call) => call === 'work train')).toHaveLength(2);
});

test('a pause reaches the run at work, and begins between two stages', async () => {
  const store = new MemoryStore();
  const training = Promise.withResolvers<void>();
  store.atWork = (kind) => (kind === 'train' ? training.promise : undefined);
  await withRetraining(serving(), store, async (start) => {
    const handle = await start();
    await until('it trains', () => store.called('work').includes('work train'));
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toMatchObject({
      isPaused: false,
      child: { kind: 'train', uri: 'file:///store/artifacts/train-0123' },
    });
    training.resolve();
    await until('the training has done its work', () =>
      store.finished.has('file:///store/artifacts/train-0123'),
    );
    // The run of the stage itself waits now; its own progress says so.
    expect(await handle.query(retrainProgressQuery)).toMatchObject({ stage: 'train', pausing: true });
    await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
  });
});

test('a pause between stages', async () => {
  const store = new MemoryStore();
  const extracting = Promise.withResolvers<void>();
  const device = store.device();
  store.device = () => ({
    ...device,
    extractFeatures: async (piece) => {
      await extracting.promise;
      return device.extractFeatures(piece);
    },
  });
  await withRetraining(serving(), store, async (start) => {
    const handle = await start();
    await until('it extracts', () => store.calls.includes('plan'));
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toMatchObject({
      isPaused: true,
      child: null,
    });
    extracting.resolve();
    await until(
      'it is paused',
      async () => (await handle.query(retrainProgressQuery)).paused === PAUSE_ASKED,
    );
    expect(store.called('begin')).toEqual([]);
    await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
  });
});

test('cancelled with its stage at work', async () => {
  const store = new MemoryStore();
  const training = Promise.withResolvers<void>();
  store.atWork = (kind) => (kind === 'train' ? training.promise : undefined);
  const failure = await withRetraining(serving(), store, async (start) => {
    const handle = await start();
    await until('it trains', () => store.called('work').includes('work train'));
    await handle.cancel();
    const ended = await handle.result().then(
      () => expect.unreachable(),
      (error: unknown) => rootFailure(error),
    );
    training.resolve();
    return ended;
  });
  expect(failure).toMatchObject({ code: 'Run.Cancelled' });
});

test('what a schedule starts makes a run of its own', async () => {
  const store = new MemoryStore();
  await withRetraining(serving(), store, async () => {
    const result = await server.client.workflow.execute<typeof retrainOnSchedule>('retrainOnSchedule', {
      taskQueue: 'orchestrate',
      workflowId: 'scheduled-weekly-2026-11-23T06:00:00Z',
      args: [{ pipeline: 'file:///store/pipelines/0123', controls: CONTROLS }],
    });
    expect(result).toEqual({
      state: 'published',
      output: 'file:///store/runs/scheduled-weekly-2026-11-23T06:00:00Z',
      model: 'file:///store/models/m/0123',
    });
  });
});
