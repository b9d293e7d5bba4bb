import { setTimeout as sleep } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../workflows/control/requests.ts';
import { graphProgressQuery } from '../../workflows/signals.ts';
import { asked } from '../support/runs/asked.ts';
import { until } from '../support/cli.ts';
import { graphControls, MemoryGraph, withGraph, type GraphServing } from '../support/servers/graphServer.ts';
import { startTrainServer } from '../support/servers/trainServer.ts';

let server: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  server = await startTrainServer();
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
  });
});
afterAll(() => server.teardown());

const serving = (): GraphServing => ({
  ...{ client: server.client, native: server.nativeConnection, workflows: { workflowBundle } },
});
const ranges = ({ asked }: MemoryGraph): string[] => asked.map(({ from, to }) => `${from}-${to}`).sort();

test('batches side by side, each lane with its share of the limits, and what the endpoint understands passed on', async () => {
  const graph = new MemoryGraph(7);
  const controls = graphControls({ requestsPerMinute: 600, tokensPerMinute: 60_000 });
  const result = await withGraph(serving(), graph, controls, (handle) => handle.result());
  expect(result).toMatchObject({ calls: 7, tokens: { input: 700, output: 350 } });
  expect(ranges(graph)).toEqual(['0-2', '2-4', '4-6', '6-7']);
  for (const { pace, allowance } of graph.asked)
    // Two lanes at 600 requests and 60,000 tokens per minute.
    expect({ pace, allowance }).toEqual({ pace: { requestMs: 200, tokenMs: 2 }, allowance: null });
  expect(graph.asked[0]!.dialect).toBeNull();
  expect(graph.asked.at(-1)!.dialect).toEqual({ format: 'object', without: ['seed'] });
  expect(new Set(graph.asked.map(({ batch }) => batch)).size).toBe(4);
});

test('what batches in work may cost never passes the ceiling together with what is spent', async () => {
  // A request takes $0.002 and can take $0.008.
  const prices = { input: 10, output: 20 };
  const graph = new MemoryGraph(20);
  let [atWork, most] = [0, 0];
  graph.atWork = async ({ allowance }) => {
    atWork += allowance!.usd;
    most = Math.max(most, atWork + graph.answered.size * 0.002);
    await sleep(50);
    atWork -= allowance!.usd;
  };
  const controls = graphControls({ maxCostUsd: 0.03, prices, concurrency: 3 });
  await expect(withGraph(serving(), graph, controls, (handle) => handle.result())).rejects.toMatchObject({
    cause: { type: 'Llm.Budget', message: expect.stringContaining('of 20 questions are answered') as string },
  });
  expect(most).toBeLessThanOrEqual(0.03 + 1e-9);
  // All but what a last request could pass it with: (0.03 - 0.008) / 0.002.
  expect(graph.answered.size).toBe(12);
  const more = graphControls({ maxCostUsd: 1, prices });
  expect(await withGraph(serving(), graph, more, (handle) => handle.result())).toMatchObject({ calls: 20 });
  const twice = graph.asked.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
  expect(twice).toHaveLength(20);
});

test('an allowance that is used up early: the rest is handed out again while the ceiling allows it', async () => {
  const graph = new MemoryGraph(4);
  const asker = graph.asker();
  let early = 0;
  graph.asker = () => ({
    askCategories: async (input) =>
      early++ === 0
        ? { ...(await asker.askCategories({ ...input, to: input.from + 1 })), next: input.from + 1 }
        : asker.askCategories(input),
  });
  const controls = graphControls({
    maxCostUsd: 1,
    prices: { input: 10, output: 20 },
    batch: 4,
    concurrency: 1,
  });
  expect(await withGraph(serving(), graph, controls, (handle) => handle.result())).toMatchObject({
    calls: 4,
  });
  expect(ranges(graph)).toEqual(['0-1', '1-4']);
});

test('a pause lets the questions in hand be answered and asks no more until it ends', async () => {
  const graph = new MemoryGraph(8);
  const open = Promise.withResolvers<void>();
  graph.atWork = () => open.promise;
  await withGraph(serving(), graph, graphControls(), async (handle) => {
    await until('two batches are in hand', () => graph.asked.length === 2);
    expect(await handle.executeUpdate(pauseUpdate, { args: [asked()] })).toEqual({
      isPaused: true,
      inHand: 2,
      child: null,
    });
    open.resolve();
    await until('both are answered', () => graph.answered.size === 4);
    expect(await handle.query(graphProgressQuery)).toMatchObject({
      stage: 'ask',
      paused: 'asked for',
      callsDone: 4,
    });
    expect(graph.asked).toHaveLength(2);
    expect(await handle.executeUpdate(resumeUpdate, { args: [asked()] })).toMatchObject({
      wasPaused: 'asked for',
    });
    expect(await handle.result()).toMatchObject({ calls: 8 });
  });
});

test('one batch that cannot be asked ends the run; what others have in hand ends first', async () => {
  const graph = new MemoryGraph(40);
  graph.atWork = ({ from }) => {
    if (from === 2) throw ApplicationFailure.nonRetryable('The key is refused.', 'Llm.Forbidden');
  };
  await expect(
    withGraph(serving(), graph, graphControls({ concurrency: 2 }), (handle) => handle.result()),
  ).rejects.toMatchObject({ cause: { cause: { type: 'Llm.Forbidden' } } });
  expect(graph.answered.size).toBeLessThan(40);
});

test('a graph of many batches goes on as new, and knows what the endpoint understands', async () => {
  const tight = await startTrainServer({ 'limit.historyCount.suggestContinueAsNew': 60 });
  try {
    const { client, nativeConnection: native } = tight;
    const graph = new MemoryGraph(40);
    const controls = graphControls({ batch: 1 });
    await withGraph({ client, native, workflows: { workflowBundle } }, graph, controls, async (handle) => {
      expect(await handle.result()).toMatchObject({ calls: 40 });
      let executions = 0;
      for await (const _ of client.workflow.list({ query: `WorkflowId = "${handle.workflowId}"` }))
        executions++;
      expect(executions).toBeGreaterThan(1);
    });
    expect(graph.asked).toHaveLength(40);
    expect(graph.asked.slice(2).every(({ dialect }) => dialect !== null)).toBe(true);
  } finally {
    await tight.teardown();
  }
});
