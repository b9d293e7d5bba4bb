/** `retrain` on a real Temporal server, with activities that keep a store in memory and record their calls. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import {
  bundleWorkflowCode,
  Worker,
  type NativeConnection,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import type { Stage } from '../../../data/retrain/stages.ts';
import type { FeaturesActivities, FeaturesStoreActivities } from '../../../workflows/train/featuresTypes.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import { resumeSignal } from '../../../workflows/control/requests.ts';
import { asked } from '../runs/asked.ts';
import type { retrain } from '../../../workflows/retrain/retrain.ts';
import type {
  PersonsDecision,
  RetrainControls,
  RetrainPlan,
  RetrainStoreActivities,
  StageEnd,
  StageRun,
  Verdict,
} from '../../../workflows/retrain/retrainTypes.ts';
import type { StageWork } from './retrainWorkflows.ts';

export const CONTROLS: RetrainControls = {
  concurrency: 1,
  maxFailureRate: 0.05,
  heartbeatTimeoutS: 60,
  graph: {
    heartbeatTimeoutS: 60,
    concurrency: 1,
    batch: 1,
    requestsPerMinute: null,
    tokensPerMinute: null,
    maxCostUsd: null,
    prices: { input: 0, output: 0 },
  },
};

export const bundleRetrain = (): Promise<WorkflowBundleWithSourceMap> =>
  bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./retrainWorkflows.ts', import.meta.url)),
  });

/** A store of artifacts, shared by retrainings, and what was done to it, in order. */
export class MemoryStore {
  readonly calls: string[] = [];
  /** Artifacts that are whole. */
  readonly finished = new Set<string>();
  readonly notes: StageEnd[] = [];
  plan: RetrainPlan;
  published: string | null = null;
  verdict: Verdict = { passed: true, rules: ['mAP on all categories: passed.'], judgedMs: Date.now() };
  decision: PersonsDecision | null = null;
  /** Called by the runs of stages at work. */
  atWork: (kind: string) => Promise<void> | void = () => undefined;

  constructor(change: Partial<RetrainPlan> = {}) {
    this.plan = {
      artifacts: 'file:///store/artifacts',
      model: 'file:///model',
      features: {
        trainedBlocks: 1,
        cache: 'auto',
        cacheLimitGiB: 1,
        validationLimit: 10,
        maxFailureRate: 0.05,
        again: null,
      },
      approvalHours: null,
      tags: true,
      ...change,
    };
  }

  called(...names: string[]): string[] {
    return this.calls.filter((call) => names.includes(call.split(' ')[0]!));
  }

  store(): RetrainStoreActivities & FeaturesStoreActivities & StageWork {
    const begin = (stage: Stage): Promise<StageRun> => {
      const uri = `file:///store/artifacts/${stage}-0123`;
      return this.note(`begin ${stage}`, { uri, id: `${stage}-0123`, finished: this.finished.has(uri) });
    };
    return {
      claimScheduled: ({ run }) =>
        this.note(`claim ${run}`, { output: `file:///store/runs/${run}`, id: `retrain-of-${run}` }),
      openRetrain: () => this.note('open', this.plan),
      freezeData: () =>
        this.note('freeze', {
          uri: 'file:///store/artifacts/snapshot-0123',
          reused: false,
          images: 100,
          validationImages: 10,
          published: this.published,
        }),
      beginGraph: () => begin('graph'),
      beginTraining: () => begin('train'),
      beginEvaluation: () => begin('evaluate'),
      beginTagging: () => begin('tag'),
      judgeCandidate: () => this.note('judge', this.verdict),
      readDecision: () => this.note('decision', this.decision),
      publishCandidate: () => this.note('publish', { uri: 'file:///store/models/m/0123', moved: true }),
      isFinished: ({ output }) => Promise.resolve(this.finished.has(output)),
      describeStage: () => Promise.resolve({ summary: 'made', units: 1 }),
      noteStage: ({ end }) => {
        this.notes.push(end);
        return Promise.resolve(end);
      },
      finishRetrain: ({ outcome, model, why }) =>
        this.note(`finish ${outcome}`, { outcome, model, why, stages: this.notes }),
      indexFeatures: ({ hash }) => this.note(`index ${hash}`, undefined),
      stageWork: async ({ kind, output }) => {
        this.calls.push(`work ${kind}`);
        await this.atWork(kind);
        this.finished.add(output);
      },
    };
  }

  device(): FeaturesActivities {
    return {
      planFeatures: () =>
        this.note('plan', [
          {
            hash: 'train',
            snapshot: 'train',
            images: 100,
            pieces: 2,
            pieceImages: 50,
            sizeBytes: 1,
            extracted: this.calls.includes('index train'),
          },
        ]),
      extractFeatures: ({ hash, piece }) => this.note(`features ${hash} ${piece}`, { images: 50, failed: 0 }),
    };
  }

  private note<Result>(call: string, result: Result): Promise<Result> {
    this.calls.push(call);
    return Promise.resolve(structuredClone(result));
  }
}

/** That a stage's run cannot go on. */
export const stageFailure = (): ApplicationFailure =>
  ApplicationFailure.nonRetryable('The loss of step 12 in round 2 is not finite.', 'Train.NotFinite');

export interface RetrainServing {
  client: Client;
  native: NativeConnection;
  bundle: WorkflowBundleWithSourceMap;
}

/** Runs `during` while workers serve retrainings of a store; they have stopped when it returns. */
export async function withRetraining<Result>(
  { client, native, bundle }: RetrainServing,
  store: MemoryStore,
  during: (start: (workflowId?: string) => Promise<WorkflowHandle<typeof retrain>>) => Promise<Result>,
): Promise<Result> {
  const common = { connection: native, maxHeartbeatThrottleInterval: '200 milliseconds' } as const;
  const workers = [
    await Worker.create({
      ...common,
      taskQueue: QUEUES.orchestrate,
      workflowBundle: bundle,
      activities: store.store(),
    }),
    await Worker.create({ ...common, taskQueue: QUEUES.gpu, activities: store.device() }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  const handles: WorkflowHandle<typeof retrain>[] = [];
  const start = async (workflowId = `retrain-${randomUUID()}`): Promise<WorkflowHandle<typeof retrain>> => {
    // As `resume` does: with a signal that is there before the workflow is.
    const handle = await client.workflow.signalWithStart<typeof retrain, [object]>('retrain', {
      taskQueue: QUEUES.orchestrate,
      workflowId,
      args: [{ output: 'file:///store/runs/one', controls: CONTROLS }],
      signal: resumeSignal,
      signalArgs: [asked()],
    });
    handles.push(handle);
    return handle;
  };
  try {
    return await during(start);
  } finally {
    for (const handle of handles) await handle.terminate().catch(() => undefined);
    for (const worker of workers) worker.shutdown();
    await running;
  }
}
