/** What a tag run does with what it is asked while it is at work, on a real Temporal server. */
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installRuntime } from '../../workers/runtime.ts';
import {
  pauseSignal,
  pauseUpdate,
  resumeSignal,
  resumeUpdate,
  setUpdate,
} from '../../workflows/control/requests.ts';
import { graphProgressQuery, progressQuery } from '../../workflows/signals.ts';
import { asked } from '../support/runs/asked.ts';
import { until } from '../support/cli.ts';
import { MemoryCorpus, SHARD_IMAGES, withTagging } from '../support/servers/tagServer.ts';
import { startTrainServer } from '../support/servers/trainServer.ts';

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
const progressOf = (handle: WorkflowHandle) => handle.query(progressQuery);
const pause = (handle: WorkflowHandle) => handle.executeUpdate(pauseUpdate, { args: [asked()] });
const resume = (handle: WorkflowHandle) => handle.executeUpdate(resumeUpdate, { args: [asked()] });

/** Ends shards until the run is over. */
async function toItsEnd(handle: WorkflowHandle, corpus: MemoryCorpus): Promise<unknown> {
  const ending = setInterval(() => corpus.endShards(), 20);
  try {
    return await handle.result();
  } finally {
    clearInterval(ending);
  }
}

test('a pause is answered once no shard is started any more, with those in hand', async () => {
  const corpus = new MemoryCorpus(12);
  await withTagging(serving(), corpus, { concurrency: 3 }, async (handle) => {
    await until('three shards are at work', () => corpus.atWork.size === 3);
    expect(await pause(handle)).toEqual({ isPaused: true, inHand: 3, child: null });
    corpus.endShards();
    await until('they have ended', async () => (await progressOf(handle)).images === 3 * SHARD_IMAGES);
    expect(corpus.started.toSorted()).toEqual([0, 1, 2]);
    expect(await progressOf(handle)).toMatchObject({ stage: 'tag', paused: 'asked for', inHand: 0 });
    expect((await handle.describe()).memo).toMatchObject({ stage: 'tag', paused: 'asked for' });
    expect(await resume(handle)).toEqual({ wasPaused: 'asked for', child: null });
    expect(await toItsEnd(handle, corpus)).toMatchObject({ images: 12 * SHARD_IMAGES });
    // Every shard was reported, once.
    expect(await progressOf(handle)).toMatchObject({ phasesMs: { fetch: 1200, infer: 3600 } });
  });
  expect(corpus.most).toBe(3);
});

test('a pause before the first shard holds it back', async () => {
  const corpus = new MemoryCorpus(2);
  await withTagging(serving(), corpus, {}, async (handle) => {
    expect(await pause(handle)).toMatchObject({ isPaused: true });
    await until('it is about to tag', async () => (await progressOf(handle)).stage === 'tag');
    expect(await pause(handle)).toMatchObject({ isPaused: true, inHand: 0 });
    expect(corpus.started).toEqual([]);
    await resume(handle);
    await toItsEnd(handle, corpus);
  });
});

test('a request that comes twice, as an update and as a signal, is taken once', async () => {
  const corpus = new MemoryCorpus(4);
  await withTagging(serving(), corpus, {}, async (handle) => {
    const request = asked();
    await handle.executeUpdate(pauseUpdate, { args: [request] });
    await resume(handle);
    await handle.signal(pauseSignal, request);
    expect(await progressOf(handle)).toMatchObject({ paused: null });
    // Temporal's own tools may send it without a word.
    await handle.signal(pauseSignal.name);
    await until('it pauses', async () => (await progressOf(handle)).paused !== null);
    await handle.signal(resumeSignal.name);
    await toItsEnd(handle, corpus);
  });
});

test('a wider window is filled at once, a narrower one is reached as shards end', async () => {
  const corpus = new MemoryCorpus(40);
  await withTagging(serving(), corpus, { concurrency: 2 }, async (handle) => {
    await until('two shards are at work', () => corpus.atWork.size === 2);
    const set = (change: { concurrency?: number; maxFailureRate?: number }) =>
      handle.executeUpdate(setUpdate, { args: [asked(change)] });
    expect(await set({ concurrency: 6 })).toEqual({ concurrency: 6, maxFailureRate: 0.05 });
    await until('six shards are at work', () => corpus.atWork.size === 6);
    expect(await set({ concurrency: 1, maxFailureRate: 0.5 })).toEqual({
      concurrency: 1,
      maxFailureRate: 0.5,
    });
    corpus.endShards();
    await until('one more is at work', () => corpus.atWork.size === 1);
    expect(corpus.started.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(corpus.most).toBe(6);
    const refused = await set({ concurrency: 0 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ cause: { type: 'Run.BadSetting' } });
    await toItsEnd(handle, corpus);
    // The children that did it all are the first ones: one, for so few shards.
    const query = `WorkflowId STARTS_WITH "${handle.workflowId}/"`;
    expect((await server.client.workflow.count(query)).count).toBeLessThanOrEqual(1);
  });
});

test('shards of several children share one window', async () => {
  const corpus = new MemoryCorpus(4500);
  await withTagging(serving(), corpus, { concurrency: 3 }, async (handle) => {
    await until('three shards are at work', () => corpus.atWork.size === 3);
    expect((await progressOf(handle)).children).toHaveLength(3);
    expect(corpus.started.toSorted((a, b) => a - b)).toEqual([0, 1000, 2000]);
    await handle.executeUpdate(setUpdate, { args: [asked({ concurrency: 1 })] });
    corpus.endShards();
    await until('one is at work', () => corpus.started.length === 4);
    expect(corpus.started.at(-1)).toBe(1);
    await until('it is what is in hand', async () => (await pause(handle)).inHand === 1);
    await handle.executeUpdate(setUpdate, { args: [asked({ concurrency: 9 })] });
    expect(await pause(handle)).toMatchObject({ inHand: 1 });
    expect(corpus.started).toHaveLength(4);
    await resume(handle);
    await until('nine are at work', () => corpus.atWork.size === 9);
  });
});

test('too many failures pause with codes, keys and how to go on; a limit set meanwhile counts', async () => {
  const corpus = new MemoryCorpus(12);
  corpus.failing = (shard) => (shard < 4 ? 100 : 0);
  await withTagging(serving(), corpus, { concurrency: 1 }, async (handle) => {
    const ending = setInterval(() => corpus.endShards(), 500);
    const budget = await until('it pauses', async () => {
      const { paused } = await progressOf(handle);
      return paused ?? undefined;
    });
    clearInterval(ending);
    expect(budget).toMatch(
      /^\d+ of \d+ images failed \(\d+\.\d %; the limit is 5\.0 %\): \d+ Image\.Corrupt \(as "broken-0\.jpg", "broken-1\.jpg", "broken-2\.jpg"\)$/,
    );
    const { lastFailures } = await progressOf(handle);
    expect(lastFailures.at(-1)).toMatchObject({ code: 'Image.Corrupt', source: 'file:///images' });
    await handle.executeUpdate(setUpdate, { args: [asked({ maxFailureRate: 0.4 })] });
    expect((await progressOf(handle)).paused).toBe(budget);
    await resume(handle);
    expect(await progressOf(handle)).toMatchObject({ paused: null, maxFailureRate: 0.4 });
    await toItsEnd(handle, corpus);
    expect(await progressOf(handle)).toMatchObject({ phasesMs: { fetch: 1200, infer: 3600, write: 0 } });
  });
});

test('the run that links categories pauses with it, and is not told apart', async () => {
  const corpus = new MemoryCorpus(1);
  const id = `graph-of-${Date.now()}`;
  corpus.linking = { id, uri: 'file:///runs/memory/_graph', finished: false };
  await withTagging(serving(), corpus, {}, async (handle) => {
    // No worker has the graph's first activity: it stays where it is.
    await until('it links', async () => (await progressOf(handle)).child !== null);
    expect(await pause(handle)).toMatchObject({ isPaused: true, child: { id, kind: 'graph' } });
    const graph = server.client.workflow.getHandle(id);
    await until('the graph pauses', async () => (await graph.query(graphProgressQuery)).paused !== null);
    await resume(handle);
    await until('it goes on', async () => (await graph.query(graphProgressQuery)).paused === null);
    await graph.terminate();
  });
});
