import type { WorkflowHandle } from '@temporalio/client';
import { trainProgressQuery } from '../../../workflows/signals.ts';
import type { TrainProgress, TrainShardProgress } from '../../../workflows/train/trainTypes.ts';
import { ask, pendingActivities } from '../pending.ts';
import type { Session } from '../session.ts';

/** Progress of a training as a person wants it: what shards at work have done is in `stepsDone`, `loss` and the pace. */
export interface TrainRunProgress extends TrainProgress {
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
}

/** Reads the progress of a training; undefined where no worker answers for it. */
export async function readTrainProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<TrainRunProgress | undefined> {
  const progress = await ask(handle, trainProgressQuery);
  if (!progress) return undefined;
  const { atWork, retrying } = await pendingActivities<TrainShardProgress>(
    session,
    handle.workflowId,
    'trainShard',
  );
  return {
    ...withinRound(
      progress,
      atWork.filter(({ round }) => round === progress.round + 1),
      Date.now(),
    ),
    retrying: [...new Set(retrying)],
  };
}

/** Progress with what the shards at work have done of their round at `nowMs`. */
export function withinRound(
  progress: TrainProgress,
  atWork: readonly TrainShardProgress[],
  nowMs: number,
): TrainProgress {
  const { steps, stepsDone, roundStartedMs, roundSteps, roundImages } = progress;
  if (roundStartedMs === null) return progress;
  const sum = (pick: (shard: TrainShardProgress) => number) =>
    atWork.reduce((total, shard) => total + pick(shard), 0);
  const stepsNow = roundSteps + sum(({ step }) => step);
  const imagesNow = roundImages + sum(({ images }) => images);
  const losses = atWork.flatMap(({ loss }) => (loss === null ? [] : [loss]));
  const elapsedS = (nowMs - roundStartedMs) / 1000;
  const left = steps - stepsDone - stepsNow;
  // Merged rounds tell the pace better than a part of one does.
  const eta =
    progress.etaSeconds === null
      ? stepsNow > 0
        ? (elapsedS * left) / stepsNow
        : null
      : (progress.etaSeconds * left) / Math.max(1, steps - stepsDone);
  return {
    ...progress,
    stepsDone: Math.min(steps, stepsDone + stepsNow),
    loss: losses.length > 0 ? losses.reduce((a, b) => a + b, 0) / losses.length : progress.loss,
    imagesPerSecond:
      progress.imagesPerSecond ?? (elapsedS > 0 && imagesNow > 0 ? imagesNow / elapsedS : null),
    etaSeconds: eta === null ? null : Math.max(0, eta),
  };
}
