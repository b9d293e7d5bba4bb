/**
 * Records the histories that replay is tested with: `node test/histories/record.ts VERSION [WORKFLOW...]`, once per
 * release that changes a workflow (`tagCorpus`, with its children, `trainModel`, ...; without names, all). The workflows are the real ones on a real server; the activities answer at once.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Counts } from '../../data/run/counts.ts';
import { noTimes } from '../../data/run/atWork/phases.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import { connectTemporal } from '../../infra/temporalConnection.ts';
import { QUEUES } from '../../workflows/queues.ts';
import { pauseUpdate, resumeUpdate, setUpdate } from '../../workflows/control/requests.ts';
import { evaluateProgressQuery, graphProgressQuery, decisionSignal, progressQuery, retrainProgressQuery, trainProgressQuery } from '../../workflows/signals.ts';
import type { IncrementActivities, TagIncrementInput } from '../../workflows/tag/incrementTypes.ts';
import type { CorpusActivities, TagActivities, TagCorpusInput } from '../../workflows/tag/tagTypes.ts';
import { asked } from '../support/runs/asked.ts';
import { MemoryEvaluation, withEvaluation } from '../support/servers/evaluateServer.ts';
import { graphControls, MemoryGraph, withGraph } from '../support/servers/graphServer.ts';
import { bundleRetrain, MemoryStore, withRetraining } from '../support/servers/retrainServer.ts';
import { MemoryTraining, withTraining } from '../support/servers/trainServer.ts';

const [version, ...named] = process.argv.slice(2);
if (version === undefined) throw new Error('usage: node test/histories/record.ts VERSION [WORKFLOW...]');
const isAsked = (workflow: string): boolean => named.length === 0 || named.includes(workflow);

const controls = { concurrency: 2, maxFailureRate: 0.05, heartbeatTimeoutS: 30 };
const shards = 6;

/** Shards of 1,000 images, `failing` of which fail in each; the second attempt at shard 3 is the one that counts. */
function activities(failing: number): CorpusActivities & TagActivities {
  const counts: Counts = { images: 1000, tagged: 1000 - failing, failuresByCode: failing > 0 ? { 'Image.Corrupt': failing } : {} };
  let lost = false;
  return {
    planCorpus: () => Promise.resolve({ shards, keys: shards * 1000 }),
    prepareVocabulary: () => Promise.resolve('0123456789abcdef'),
    findPendingShards: ({ from, to }) =>
      Promise.resolve({ pending: Array.from({ length: to - from }, (_, i) => from + i), done: { images: 0, tagged: 0, failuresByCode: {} } }),
    async tagShard({ shard }) {
      // Long enough for a report to be due between shards, so that the parent hears of failures before the end.
      await sleep(2_600);
      if (shard === 3 && !lost) {
        lost = true;
        throw ApplicationFailure.retryable('The store does not answer.', 'Store.Unavailable');
      }
      return { ...counts, phasesMs: noTimes(), failures: failing > 0 ? [{ key: `broken-${shard}.jpg`, source: 'file:///images', code: 'Image.Corrupt', message: 'It ends early.' }] : [] };
    },
    checkShards: () => Promise.resolve(),
    finishRun: () => Promise.resolve({ images: shards * 1000, tagged: shards * counts.tagged, failuresByCode: counts.failuresByCode, parts: shards }),
  };
}

/** Without this machine's folders and name, which stack traces and identities tell. */
const anonymous = (json: string): string =>
  json.replaceAll(new URL('../../', import.meta.url).pathname, '').replaceAll(`@${hostname()}"`, '@localhost"');

const dir = mkdtempSync(join(tmpdir(), 'c2srt-record-'));
const server = await startOrAttachTemporal({ dir });
try {
  const temporal = { connection: { address: server.address }, namespace: server.namespace };
  const connection = await connectTemporal(temporal);
  const native = await NativeConnection.connect(temporal.connection);
  const client = new Client({ connection });

  const record = async (name: string, failing: number, during: (handle: WorkflowHandle) => Promise<void>): Promise<void> => {
    const workflowsPath = new URL('../../workflows/index.ts', import.meta.url).pathname;
    const workers = [
      await Worker.create({ connection: native, taskQueue: QUEUES.orchestrate, workflowsPath, activities: activities(failing) }),
      await Worker.create({ connection: native, taskQueue: QUEUES.gpu, activities: activities(failing) }),
    ];
    const running = workers.map((worker) => worker.run());
    const input: TagCorpusInput = { output: `file:///runs/${name}`, controls };
    const handle = await client.workflow.start('tagCorpus', { taskQueue: QUEUES.orchestrate, workflowId: name, args: [input] });
    await during(handle);
    await handle.result().catch(() => undefined);
    await save(name, 'tagCorpus', handle);
    for await (const { workflowId } of client.workflow.list({ query: `WorkflowId STARTS_WITH "${name}/"` })) {
      await save(name, 'tagShards', client.workflow.getHandle(workflowId));
    }
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
  };
  const save = async (name: string, type: string, handle: WorkflowHandle): Promise<void> => {
    const file = `${type}-${name}-${version}.json`;
    writeFileSync(new URL(file, import.meta.url), anonymous(historyToJSON(await handle.fetchHistory())));
    console.log(file);
  };

  if (isAsked('tagCorpus')) {
    await record('whole', 0, () => Promise.resolve());
    await record('paused', 200, async (handle) => {
      while ((await handle.query(progressQuery)).paused === null) await sleep(200);
      await handle.executeUpdate(setUpdate, { args: [asked({ concurrency: 1, maxFailureRate: 0.1 })] });
      await handle.executeUpdate(resumeUpdate, { args: [asked({ maxFailureRate: 1, concurrency: 3 })] });
    });
    await record('cancelled', 0, async (handle) => {
      while ((await handle.query(progressQuery)).stage !== 'tag') await sleep(200);
      await sleep(3_000);
      await handle.cancel();
    });
  }

  /** A training with features, a shard that is tried again and an early end, on activities in memory. */
  const recordTraining = async (name: string, during: (handle: WorkflowHandle, training: MemoryTraining) => Promise<void>): Promise<void> => {
    const features = [{ hash: '0123456789abcdef', snapshot: 'train', images: 700, pieces: 3, pieceImages: 256, sizeBytes: 1, extracted: false } as const];
    const training = new MemoryTraining({ rounds: 5, steps: 50, patience: 2, features }, { 0: 20, 1: 22, 2: 21, 3: 21 });
    let lost = false;
    training.atWork = (round, shard) => {
      if (round !== 1 || shard !== 1 || lost) return;
      lost = true;
      throw ApplicationFailure.retryable('The store does not answer.', 'Store.Unavailable');
    };
    const options = { client, native, workflows: { workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname } };
    await withTraining(options, training, async (handle) => {
      await during(handle, training);
      await handle.result().catch(() => undefined);
      await save(name, 'trainModel', handle);
    }, name);
  };
  if (isAsked('trainModel')) {
    await recordTraining('whole', () => Promise.resolve());
    await recordTraining('paused', async (handle) => {
      await handle.executeUpdate(pauseUpdate, { args: [asked()] });
      while ((await handle.query(trainProgressQuery)).paused === null) await sleep(200);
      await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    });
    await recordTraining('cancelled', async (handle, training) => {
      const failing = training.atWork;
      training.atWork = (round, shard) => (round === 2 ? training.untilCancelled() : failing(round, shard));
      while (training.called('train').length < 5) await sleep(200);
      await handle.cancel();
    });
  }
  /** An evaluation with a shard that is tried again, on activities in memory. */
  const recordEvaluation = async (name: string, during: (handle: WorkflowHandle) => Promise<void>): Promise<void> => {
    const evaluation = new MemoryEvaluation();
    let lost = false;
    evaluation.atWork = async (call) => {
      await sleep(500);
      if (call !== 'score test 1' || lost) return;
      lost = true;
      throw ApplicationFailure.retryable('The store does not answer.', 'Store.Unavailable');
    };
    const options = { client, native, workflows: { workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname } };
    await withEvaluation(options, evaluation, async (handle) => {
      await during(handle);
      await handle.result();
      await save(name, 'evaluateModel', handle);
    }, name);
  };
  if (isAsked('evaluateModel')) {
    await recordEvaluation('whole', () => Promise.resolve());
    await recordEvaluation('paused', async (handle) => {
      await handle.executeUpdate(pauseUpdate, { args: [asked()] });
      while ((await handle.query(evaluateProgressQuery)).paused === null) await sleep(200);
      await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    });
  }
  /** A graph with a batch that is tried again, on activities in memory. */
  const recordGraph = async (name: string, during: (handle: WorkflowHandle) => Promise<void>): Promise<void> => {
    const graph = new MemoryGraph(7);
    let lost = false;
    graph.atWork = async ({ from }) => {
      await sleep(500);
      if (from !== 2 || lost) return;
      lost = true;
      throw ApplicationFailure.retryable('The endpoint asks for fewer requests.', 'Llm.RateLimit');
    };
    const options = { client, native, workflows: { workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname } };
    const controls = graphControls({ maxCostUsd: 0.04, prices: { input: 10, output: 20 } });
    await withGraph(options, graph, controls, async (handle) => {
      await during(handle);
      await handle.result();
      await save(name, 'buildGraph', handle);
    }, name);
  };
  if (isAsked('buildGraph')) {
    await recordGraph('whole', () => Promise.resolve());
    await recordGraph('paused', async (handle) => {
      await handle.executeUpdate(pauseUpdate, { args: [asked()] });
      while ((await handle.query(graphProgressQuery)).paused === null) await sleep(200);
      await handle.executeUpdate(resumeUpdate, { args: [asked()] });
    });
  }
  /** A firing that goes on with what a lost one left, finds nothing new, and so has no run of its own; or has one. */
  const recordIncrement = async (name: string, unchanged: boolean): Promise<void> => {
    const run = { id: `${name}-new`, run: 'file:///chain/new', since: 'file:///chain/left', heldBy: null, isNew: true };
    const left = { ...run, id: `${name}-left`, run: 'file:///chain/left', since: null, isNew: false };
    let asked = 0;
    const chain: IncrementActivities = {
      nextIncrement: ({ takeOver }) => Promise.resolve(asked++ === 0 ? { ...left, heldBy: 'lost' } : takeOver === undefined ? run : left),
      dropUnchanged: () => Promise.resolve(unchanged),
    };
    const planCorpus: CorpusActivities['planCorpus'] = ({ output }) => Promise.resolve(output === run.run && unchanged ? { shards: 0, keys: 0 } : { shards: 1, keys: 1000 });
    const worker = await Worker.create({
      connection: native,
      taskQueue: QUEUES.orchestrate,
      workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
      activities: { ...activities(0), ...chain, planCorpus },
    });
    const device = await Worker.create({ connection: native, taskQueue: QUEUES.gpu, activities: activities(0) });
    const input: TagIncrementInput = { out: 'file:///chain', request: '0123456789abcdef', controls };
    await worker.runUntil(device.runUntil(async () => {
      const handle = await client.workflow.start('tagIncrement', { taskQueue: QUEUES.orchestrate, workflowId: name, args: [input] });
      await handle.result();
      await save(name, 'tagIncrement', handle);
    }));
  };
  if (isAsked('tagIncrement')) {
    await recordIncrement('whole', false);
    await recordIncrement('unchanged', true);
  }
  /** A retraining whose runs of stages are stand-ins, on activities in memory. */
  const recordRetraining = async (name: string, store: MemoryStore, during: (handle: WorkflowHandle) => Promise<void>): Promise<void> => {
    const bundle = await bundleRetrain();
    await withRetraining({ client, native, bundle }, store, async (start) => {
      const handle = await start(name);
      await during(handle);
      await handle.result();
      await save(name, 'retrain', handle);
    });
  };
  if (isAsked('retrain')) {
    const asking = new MemoryStore({ approvalHours: 1 });
    await recordRetraining('whole', asking, async (handle) => {
      while ((await handle.query(retrainProgressQuery)).paused === null) await sleep(200);
      asking.decision = { approved: true, by: 'someone', reason: '' };
      await handle.signal(decisionSignal);
    });
    const published = new MemoryStore();
    published.published = 'file:///store/models/m/9999';
    await recordRetraining('unchanged', published, () => Promise.resolve());
  }
  await native.close();
  await connection.close();
} finally {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}
