import type { WorkflowHandle } from '@temporalio/client';
import type { ShardProgress } from '../../../activities/tag/tagShard.ts';
import { addCounts, failedOf, type Counts } from '../../../data/run/counts.ts';
import { progressQuery } from '../../../workflows/signals.ts';
import type { TagProgress } from '../../../workflows/tag/tagTypes.ts';
import { ask, pendingActivities } from '../pending.ts';
import type { Session } from '../session.ts';

/** Progress of a tag run as a person wants it. */
export interface TagRunProgress extends TagProgress {
  /** Images done, those of unfinished shards included. */
  imagesDone: number;
  failed: number;
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
}

/** Reads the progress of a tag run; undefined where no worker answers for it. */
export async function readTagProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<TagRunProgress | undefined> {
  const progress = await ask(handle, progressQuery);
  if (!progress) return undefined;
  const executions = await Promise.all(
    [handle.workflowId, ...progress.children].map((id) =>
      pendingActivities<ShardProgress>(session, id, 'tagShard'),
    ),
  );
  const inWork = executions.flatMap(({ atWork }) => atWork);
  const started = inWork.reduce<Counts>(
    (sum, { tagged, failed }) => addCounts(sum, { images: tagged + failed, tagged, failuresByCode: {} }),
    progress,
  );
  const imagesDone = Math.min(started.images, Math.max(progress.keys, progress.images));
  const elapsedS = progress.tagStartedMs === null ? 0 : (Date.now() - progress.tagStartedMs) / 1000;
  const imagesPerSecond = elapsedS > 0 ? (imagesDone - progress.imagesBefore) / elapsedS : null;
  const left = progress.keys - imagesDone;
  return {
    ...progress,
    imagesDone,
    failed: failedOf(started),
    imagesPerSecond,
    etaSeconds: imagesPerSecond !== null && imagesPerSecond > 0 ? left / imagesPerSecond : null,
    retrying: [...new Set(executions.flatMap(({ retrying }) => retrying))],
  };
}
