/** What `evaluateModel` does in which order, on a real Temporal server. */
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installRuntime } from '../../workers/runtime.ts';
import { pauseUpdate, resumeUpdate } from '../../workflows/control/requests.ts';
import { evaluateProgressQuery } from '../../workflows/signals.ts';
import { asked } from '../support/runs/asked.ts';
import { until } from '../support/cli.ts';
import { MemoryEvaluation, withEvaluation } from '../support/servers/evaluateServer.ts';
import { startTrainServer } from '../support/servers/trainServer.ts';

let server: TestWorkflowEnvironment;
let bundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  installRuntime({ level: 'WARN' });
  // An execution is asked to continue as new after a few shards.
  server = await startTrainServer({ 'limit.historyCount.suggestContinueAsNew': 40 });
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
const run = (evaluation: MemoryEvaluation) =>
  withEvaluation(serving(), evaluation, (handle) => handle.result());
const progressOf = (handle: WorkflowHandle) => handle.query(evaluateProgressQuery);

test('scores shards of both snapshots, then fits, measures every range of categories and finishes', async () => {
  const evaluation = new MemoryEvaluation();
  expect(await run(evaluation)).toMatchObject({ images: 25, calibrated: true });
  const { calls } = evaluation;
  expect(calls.slice(0, 2)).toEqual(['snapshot', 'prepare']);
  expect(calls.slice(2, 7).sort()).toEqual([
    ...['score test 0', 'score test 1', 'score test 2'],
    ...['score validation 0', 'score validation 1'],
  ]);
  expect(calls[7]).toBe('calibrate');
  expect(calls.slice(8, 11).sort()).toEqual(['measure 0', 'measure 1', 'measure 2']);
  expect(calls.slice(11)).toEqual(['finish']);
});

test('a long evaluation continues as new, and scores no shard twice', async () => {
  const evaluation = new MemoryEvaluation({ images: 300, validationImages: 0 });
  await withEvaluation(serving(), evaluation, async (handle) => {
    await handle.result();
    const { events } = await handle.fetchHistory();
    const started = events?.find((event) => event.workflowExecutionStartedEventAttributes);
    expect(started?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId).toBeTruthy();
  });
  expect(evaluation.called('score')).toHaveLength(30);
  expect(new Set(evaluation.called('score')).size).toBe(30);
});

test('a pause hands out no more shards; what fails is tried again; progress tells', async () => {
  const evaluation = new MemoryEvaluation({ images: 80, validationImages: 0 });
  const gate = Promise.withResolvers<void>();
  let failures = 1;
  evaluation.atWork = async (call) => {
    if (call === 'score test 3' && failures-- > 0)
      throw ApplicationFailure.retryable('The store does not answer.', 'Store.Unavailable');
    await gate.promise;
  };
  await withEvaluation(serving(), evaluation, async (handle) => {
    await until('two shards are at work', () => evaluation.called('score').length === 2);
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toEqual({
      isPaused: true,
      inHand: 2,
      child: null,
    });
    gate.resolve();
    await until('what was in hand is done', async () => (await progressOf(handle)).shardsDone === 2);
    expect(await progressOf(handle)).toMatchObject({
      ...{ stage: 'score', images: 80, imagesDone: 20, shards: 8, stripes: 3, paused: 'asked for' },
    });
    expect(evaluation.called('score')).toHaveLength(2);
    await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    await handle.result();
    expect(await progressOf(handle)).toMatchObject({ stage: 'done', imagesDone: 80, stripesDone: 3 });
  });
  // Each once, and once more the one that failed.
  expect(evaluation.called('score')).toHaveLength(9);
});
