/** `tagCorpus` on a real Temporal server, with activities that keep a corpus in memory and record their calls. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { addCounts, noCounts } from '../../../data/run/counts.ts';
import { noTimes } from '../../../data/run/atWork/phases.ts';
import type { GraphPlanActivities } from '../../../workflows/graph/graphTypes.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import type { StageRun } from '../../../workflows/retrain/retrainTypes.ts';
import type { tagCorpus } from '../../../workflows/tag/tagCorpus.ts';
import type {
  CorpusActivities,
  ShardResult,
  TagActivities,
  TagCorpusInput,
} from '../../../workflows/tag/tagTypes.ts';
import { graphControls } from './graphServer.ts';
import type { TrainServing } from './trainServer.ts';

/** Images of a shard. */
export const SHARD_IMAGES = 400;

/** What is done to the folder of a tag run. */
export class MemoryCorpus {
  readonly shards: number;
  /** Shards in the order in which they were started. */
  readonly started: number[] = [];
  /** Those that are at work, each with what ends it. */
  readonly atWork = new Map<number, () => void>();
  /** The most that were at work at once. */
  most = 0;
  /** How many images of a shard fail. */
  failing: (shard: number) => number = () => 0;
  /** The run that links categories; null: none does. */
  linking: StageRun | null = null;
  private readonly done = new Map<number, ShardResult>();

  constructor(shards: number) {
    this.shards = shards;
  }

  /** Ends the shards at work; those that start meanwhile stay. */
  endShards(): void {
    for (const end of [...this.atWork.values()]) end();
  }

  corpus(): CorpusActivities {
    return {
      planCorpus: () => Promise.resolve({ shards: this.shards, keys: this.shards * SHARD_IMAGES }),
      findPendingShards: ({ from, to }) => {
        const range = Array.from({ length: to - from }, (_, i) => from + i);
        const done = range.flatMap((shard) => this.done.get(shard) ?? []).reduce(addCounts, noCounts());
        return Promise.resolve({ pending: range.filter((shard) => !this.done.has(shard)), done });
      },
      checkShards: () => Promise.resolve(),
      finishRun: () =>
        Promise.resolve({ ...[...this.done.values()].reduce(addCounts, noCounts()), parts: this.shards }),
    };
  }

  device(): TagActivities & Pick<GraphPlanActivities, 'beginLinking'> {
    return {
      prepareVocabulary: () => Promise.resolve('0123456789abcdef'),
      beginLinking: () => Promise.resolve(this.linking),
      tagShard: async ({ shard }) => {
        this.started.push(shard);
        await new Promise<void>((end) => {
          this.atWork.set(shard, end);
          this.most = Math.max(this.most, this.atWork.size);
        });
        this.atWork.delete(shard);
        const failed = this.failing(shard);
        const result: ShardResult = {
          images: SHARD_IMAGES,
          tagged: SHARD_IMAGES - failed,
          failuresByCode: failed === 0 ? {} : { 'Image.Corrupt': failed },
          phasesMs: { ...noTimes(), fetch: 100, infer: 300 },
          failures:
            failed === 0
              ? []
              : [
                  {
                    key: `broken-${shard}.jpg`,
                    source: 'file:///images',
                    code: 'Image.Corrupt',
                    message: 'ends early',
                  },
                ],
        };
        this.done.set(shard, result);
        return result;
      },
    };
  }
}

/** Runs `during` while workers serve a tag run; they have stopped when it returns. */
export async function withTagging<Result>(
  { client, native, workflows }: TrainServing,
  corpus: MemoryCorpus,
  controls: Partial<TagCorpusInput['controls']>,
  during: (handle: WorkflowHandle<typeof tagCorpus>) => Promise<Result>,
): Promise<Result> {
  const workers = [
    await Worker.create({
      connection: native,
      taskQueue: QUEUES.orchestrate,
      ...workflows,
      activities: corpus.corpus(),
    }),
    await Worker.create({ connection: native, taskQueue: QUEUES.gpu, activities: corpus.device() }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  const input: TagCorpusInput = {
    output: 'file:///runs/memory',
    controls: {
      ...{ heartbeatTimeoutS: 60, concurrency: 2, maxFailureRate: 0.05, graph: graphControls() },
      ...controls,
    },
  };
  const handle = await client.workflow.start<typeof tagCorpus>('tagCorpus', {
    ...{ taskQueue: QUEUES.orchestrate, workflowId: `tag-${randomUUID()}`, args: [input] },
  });
  const ending = setInterval(() => isOver && corpus.endShards(), 50);
  let isOver = false;
  try {
    return await during(handle);
  } finally {
    await handle.terminate().catch(() => undefined);
    isOver = true;
    for (const worker of workers) worker.shutdown();
    await running;
    clearInterval(ending);
  }
}
