import { Failure } from '../../../data/failure.ts';
import { CHECKPOINT } from '../../../data/training/trainLayout.ts';
import { summariseFailed, type FailedImage } from '../../../data/training/failedImages.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { initialState, type TrainingState } from '../../../model/train/adamw.ts';
import { batchRows, shardSlice } from '../../../model/train/dataOrder.ts';
import { refuseNotFinite } from '../../../model/train/trainer.ts';
import type { TrainShardProgress } from '../../../workflows/train/trainTypes.ts';
import type { TrainingDevice } from '../dependencies.ts';
import {
  commitShardState,
  readMerged,
  readShardReceipt,
  readShardState,
  type ShardReceipt,
} from './roundStates.ts';
import type { LoadedBatch, TrainingTask } from '../tasks/trainingTask.ts';

export interface ShardRoundOptions {
  output: ObjectStore;
  task: TrainingTask;
  device: TrainingDevice;
  /** From 1. */
  round: number;
  shard: number;
  /** Unique to this attempt. */
  attempt: string;
  signal: AbortSignal;
  report(progress: TrainShardProgress): void;
}

/** Failed images that a message names. */
const NAMED_FAILURES = 3;

/**
 * One shard's local steps of a round, from the parameters merged before it and the shard's own optimiser state. A shard
 * that has a receipt is not trained again. Everything that decides the result is in the folder: an attempt on another
 * machine of the same kind ends with the same bytes.
 */
export async function trainShard(options: ShardRoundOptions): Promise<ShardReceipt> {
  const { output, task, device, round, shard, attempt, signal, report } = options;
  const known = await readShardReceipt(output, round, shard);
  if (known) return known;

  const { from, to } = shardSlice(task.order, shard);
  const [state, images] = await Promise.all([startOf(output, round, shard), task.rows(from, to)]);
  const rowsOf = batchRows(task.order, shard);
  const first = (round - 1) * task.localSteps;
  const last = Math.min(task.steps, first + task.localSteps);
  const load = (step: number): Promise<LoadedBatch> => {
    const numbers = rowsOf(step);
    const own = Array.from(numbers, (row) => images[row - from]!);
    return task.load(numbers, own, { step, shard }, signal);
  };

  const startedMs = performance.now();
  const training = await device.startTraining(task.key, task.setup, state);
  const sums: Record<string, number> = {};
  const failed: FailedImage[] = [];
  let seen = 0;
  let loss: number | null = null;
  report({ round, shard, step: 0, images: 0, loss });
  // The next batch is fetched and decoded while the device works on this one.
  let next: Promise<LoadedBatch> | undefined = load(first);
  try {
    for (let step = first; step < last; step++) {
      signal.throwIfAborted();
      const loaded: LoadedBatch = await next!;
      next = step + 1 < last ? load(step + 1) : undefined;
      // Awaited in the next turn; a failure before that must not count as unhandled.
      next?.catch(() => undefined);
      const losses = await training.step(loaded.batch, task.rates(step));
      for (const [name, value] of Object.entries(losses)) sums[name] = (sums[name] ?? 0) + value;
      seen += loaded.images;
      failed.push(...loaded.failed);
      loss = losses['loss'] ?? null;
      report({ round, shard, step: step + 1 - first, images: seen, loss });
    }
    refuseUnreadable(failed, seen, task.maxFailureRate);
    // No later loss of the round shows what the last step led to, and what is merged is to be good.
    refuseNotFinite(await training.losses(), `After step ${last}`);
    const steps = last - first;
    const losses = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps]));
    const seconds = (performance.now() - startedMs) / 1000;
    return await commitShardState(output, { round, shard, attempt }, await training.state(), {
      steps,
      images: seen,
      failed: failed.length,
      unread: summariseFailed(failed),
      loss: losses['loss'] ?? 0,
      losses,
      seconds,
      fingerprint: { ...device.fingerprint },
    });
  } catch (error) {
    throw located(error, round, shard, output);
  } finally {
    await next?.catch(() => undefined);
    await training.release();
  }
}

/** Merged parameters of the round before; moments and step count of the shard's own. */
async function startOf(output: ObjectStore, round: number, shard: number): Promise<TrainingState> {
  const { parameters } = await readMerged(output, round - 1);
  if (round === 1) return initialState(parameters);
  const { m, v, step } = await readShardState(output, round - 1, shard);
  return { parameters, m, v, step };
}

/** Says where in the run a step was that failed, and what is kept. */
function located(error: unknown, round: number, shard: number, output: ObjectStore): unknown {
  if (!(error instanceof Failure) || error.code !== 'Train.NotFinite') return error;
  return new Failure(
    error.code,
    `${error.message} That is in round ${round}, shard ${shard}; the model of the best round before it is kept in ${output.describeKey(CHECKPOINT)}.`,
    { retryable: false, cause: error, ...(error.hint !== undefined && { hint: error.hint }) },
  );
}

function refuseUnreadable(failed: readonly FailedImage[], images: number, maxFailureRate: number): void {
  if (failed.length <= maxFailureRate * images) return;
  const named = failed.slice(0, NAMED_FAILURES).map(({ uri, code }) => `${uri} (${code})`);
  throw new Failure(
    'Train.UnreadableImages',
    `${failed.length} of ${images} images could not be read, more than the ${100 * maxFailureRate} % that are let pass: ${named.join(', ')}${failed.length > named.length ? ', ...' : ''}.`,
    {
      retryable: false,
      hint: 'Put the images back and `c2srt resume`; or correct the manifest, or raise maxFailureRate in its section of c2srt.yaml, and train into another --out.',
    },
  );
}
