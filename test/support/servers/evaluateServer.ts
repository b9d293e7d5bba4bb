/** `evaluateModel` on a real Temporal server, with activities that keep an evaluation in memory and record their calls. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { evaluateModel } from '../../../workflows/evaluate/evaluateModel.ts';
import type {
  EvaluateActivities,
  EvaluateModelInput,
  EvaluatePlan,
  EvaluateStoreActivities,
} from '../../../workflows/evaluate/evaluateTypes.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import type { TrainServing } from './trainServer.ts';

/** What is done to the folder of an evaluation, in order. */
export class MemoryEvaluation {
  readonly calls: string[] = [];
  readonly plan: EvaluatePlan;
  /** Called in a shard at work. */
  atWork: (call: string) => Promise<void> | void = () => undefined;
  private readonly scored = new Set<string>();

  constructor(change: Partial<EvaluatePlan> = {}) {
    this.plan = { images: 25, validationImages: 12, shardSize: 10, stripes: 3, ...change };
  }

  /** Calls of an activity. */
  called(name: string): string[] {
    return this.calls.filter((call) => call.startsWith(name));
  }

  store(): EvaluateStoreActivities {
    const { images, validationImages } = this.plan;
    return {
      snapshotEvaluation: () => this.note('snapshot', { images, validationImages }),
      fitCalibration: () => this.note('calibrate', undefined),
      measureCategories: ({ stripe }) => this.note(`measure ${stripe}`, undefined),
      finishEvaluation: () => this.note('finish', { images, failed: 0, calibrated: true, systems: {} }),
    };
  }

  device(): EvaluateActivities {
    return {
      prepareEvaluation: () => this.note('prepare', this.plan),
      scoreImages: async ({ snapshot, shard }) => {
        const call = `score ${snapshot} ${shard}`;
        this.calls.push(call);
        await this.atWork(call);
        const reused = this.scored.has(call);
        this.scored.add(call);
        return { images: 10, failed: 0, reused };
      },
    };
  }

  private note<Result>(call: string, result: Result): Promise<Result> {
    this.calls.push(call);
    return Promise.resolve(result);
  }
}

/** Runs `during` while workers serve an evaluation; they have stopped when it returns. */
export async function withEvaluation<Result>(
  { client, native, workflows }: TrainServing,
  evaluation: MemoryEvaluation,
  during: (handle: WorkflowHandle<typeof evaluateModel>) => Promise<Result>,
  workflowId = `evaluate-${randomUUID()}`,
): Promise<Result> {
  const workers = [
    await Worker.create({
      connection: native,
      taskQueue: QUEUES.orchestrate,
      ...workflows,
      activities: evaluation.store(),
    }),
    await Worker.create({ connection: native, taskQueue: QUEUES.gpu, activities: evaluation.device() }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  const input: EvaluateModelInput = {
    output: 'file:///runs/memory',
    controls: { heartbeatTimeoutS: 5, concurrency: 2 },
  };
  const handle = await client.workflow.start<typeof evaluateModel>('evaluateModel', {
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
