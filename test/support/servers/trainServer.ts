/** `trainModel` on a real Temporal server, with activities that keep a training in memory and record their calls. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { findTemporal } from '../../../infra/temporalProgram.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import type {
  FeaturesActivities,
  FeaturesStoreActivities,
  SnapshotFeatures,
} from '../../../workflows/train/featuresTypes.ts';
import type {
  PreparedTraining,
  TrainActivities,
  TrainModelInput,
  TrainPlan,
  TrainResult,
  RoundResult,
  TrainStoreActivities,
  Validation,
} from '../../../workflows/train/trainTypes.ts';
import type { trainModel } from '../../../workflows/train/trainModel.ts';

/** A Temporal server in memory; `limits` are its dynamic configuration. */
export async function startTrainServer(
  limits: Readonly<Record<string, number>> = {},
): Promise<TestWorkflowEnvironment> {
  const path = await findTemporal((line) => console.error(line));
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      ip: '127.0.0.1',
      extraArgs: Object.entries(limits).flatMap(([name, value]) => [
        '--dynamic-config-value',
        `${name}=${value}`,
      ]),
    },
  });
}

export const plan = (change: Partial<TrainPlan> = {}): TrainPlan => ({
  images: 640,
  validationImages: 64,
  shards: 2,
  rounds: 3,
  steps: 25,
  localSteps: 10,
  batchSize: 32,
  validateEvery: 1,
  patience: null,
  ...change,
});

export const validation = (round: number, score: number): Validation => ({
  round,
  images: 64,
  score,
  metrics: { seen: { mAP: score } },
});

/** The folder of a training, and what was done to it, in order. */
export class MemoryTraining {
  readonly calls: string[] = [];
  readonly plan: TrainPlan;
  readonly features: readonly SnapshotFeatures[];
  readonly state: { rounds: RoundResult[]; validations: Validation[] };
  /** Scores of rounds; a round without one has its number. */
  readonly scores: Readonly<Record<number, number>>;
  /** Called in a shard at work. */
  atWork: (round: number, shard: number) => Promise<void> | void = () => undefined;
  cancelled = 0;

  constructor(
    { features = [], ...change }: Partial<TrainPlan> & { features?: readonly SnapshotFeatures[] } = {},
    scores: Readonly<Record<number, number>> = {},
  ) {
    this.features = features;
    this.plan = plan(change);
    this.scores = scores;
    this.state = { rounds: [], validations: [] };
  }

  /** The features, with those that were indexed as extracted. */
  private planned(): SnapshotFeatures[] {
    return this.features.map((kept) => ({
      ...kept,
      extracted: this.calls.includes(`index ${kept.hash}`),
    }));
  }

  /** Calls of an activity, or of several. */
  called(...names: string[]): string[] {
    return this.calls.filter((call) => names.includes(call.split(' ')[0]!));
  }

  store(): TrainStoreActivities & FeaturesStoreActivities {
    const { calls, state, plan } = this;
    return {
      snapshotDataset: () => this.note('snapshot', { images: plan.images, validationImages: 64 }),
      readTrainState: () =>
        this.note('state', {
          lastRound: state.rounds.at(-1) ?? null,
          validations: structuredClone(state.validations),
        }),
      mergeRound: ({ round }) => {
        const merged = { round, loss: 1 / round, images: 320 * plan.shards, seconds: 1 };
        // A merge whose answer was lost comes again.
        if (!state.rounds.some((done) => done.round === round)) state.rounds.push(merged);
        return this.note(`merge ${round}`, merged);
      },
      indexFeatures: ({ hash }) => this.note(`index ${hash}`, undefined),
      sweepRounds: ({ round, best }) => {
        calls.push(`sweep ${round} best ${best}`);
        return Promise.resolve();
      },
    };
  }

  device(): TrainActivities & FeaturesActivities {
    const { plan, state } = this;
    return {
      prepareTraining: () =>
        this.note<PreparedTraining>('prepare', {
          plan,
          artifacts: 'file:///runs/memory/_artifacts',
          features: this.planned(),
        }),
      planFeatures: () => this.note('plan', this.planned()),
      extractFeatures: ({ hash, piece }) => this.note(`features ${hash} ${piece}`, { images: 10, failed: 0 }),
      trainShard: async ({ round, shard }) => {
        this.calls.push(`train ${round} ${shard}`);
        await this.atWork(round, shard);
        return { steps: 10, images: 320, failed: 0, loss: 1 / round, seconds: 1 };
      },
      validateRound: ({ round }) => {
        const result = validation(round, this.scores[round] ?? round);
        state.validations.push(result);
        return this.note(`validate ${round}`, result);
      },
      keepCheckpoint: ({ best }) => this.note(`keep ${best}`, undefined),
      finishTraining: ({ best, round, stoppedEarly }) =>
        this.note<TrainResult>(`finish ${round} best ${best}${stoppedEarly ? ' early' : ''}`, {
          rounds: round,
          stoppedEarly,
          bestRound: best,
          start: state.validations[0] ?? null,
          best: state.validations.find((done) => done.round === best) ?? null,
          loss: 1 / round,
          images: 320 * plan.shards * round,
          failed: {},
        }),
    };
  }

  /** Waits until the activity is told that it was cancelled, and ends as that. */
  async untilCancelled(): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 100);
    try {
      await context.cancelled;
    } finally {
      clearInterval(beat);
      this.cancelled++;
    }
  }

  private note<Result>(call: string, result: Result): Promise<Result> {
    this.calls.push(call);
    return Promise.resolve(result);
  }
}

/** That a loss is no number, as the shard's activity says it. */
export const notFinite = (): ApplicationFailure =>
  ApplicationFailure.nonRetryable('The loss of step 12 in round 2 is not finite.', 'Train.NotFinite');

/** What serves a training: a client and a worker's connection of one server, and the workflows' code. */
export interface TrainServing {
  client: Client;
  native: NativeConnection;
  workflows: Pick<WorkerOptions, 'workflowsPath' | 'workflowBundle'>;
}

/** Runs `during` while workers serve a training; they have stopped when it returns. */
export async function withTraining<Result>(
  { client, native, workflows }: TrainServing,
  training: MemoryTraining,
  during: (handle: WorkflowHandle<typeof trainModel>) => Promise<Result>,
  workflowId = `train-${randomUUID()}`,
): Promise<Result> {
  const common = {
    connection: native,
    maxHeartbeatThrottleInterval: '200 milliseconds',
  } as const;
  const workers = [
    await Worker.create({
      ...common,
      taskQueue: QUEUES.orchestrate,
      ...workflows,
      activities: training.store(),
    }),
    await Worker.create({ ...common, taskQueue: QUEUES.gpu, activities: training.device() }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  const input: TrainModelInput = {
    output: 'file:///runs/memory',
    controls: { heartbeatTimeoutS: 5, concurrency: 4 },
  };
  const handle = await client.workflow.start<typeof trainModel>('trainModel', {
    taskQueue: QUEUES.orchestrate,
    workflowId,
    args: [input],
  });
  try {
    return await during(handle);
  } finally {
    await handle.terminate().catch(() => undefined);
    for (const worker of workers) worker.shutdown();
    await running;
  }
}
