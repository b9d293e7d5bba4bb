import type { WorkflowHandle } from '@temporalio/client';
import type { ShardProgress } from '../../../activities/tag/tagShard.ts';
import { addCounts, failedOf, type Counts } from '../../../data/run/counts.ts';
import { LAST_FAILURES, withFailure } from '../../../data/run/atWork/failureSample.ts';
import { addTimes } from '../../../data/run/atWork/phases.ts';
import { progressQuery } from '../../../workflows/signals.ts';
import type { TagProgress } from '../../../workflows/tag/tagTypes.ts';
import { readGraphProgress, type GraphRunProgress } from '../graph/progress.ts';
import { ask, pendingActivities } from '../pending.ts';
import type { Session } from '../session.ts';

/** Progress of a tag run as a person wants it. */
export interface TagRunProgress extends TagProgress {
  /** Images done, those of unfinished shards included. */
  imagesDone: number;
  failed: number;
  /** Of late: in the last five minutes, or over the last shards where these took longer; null before the first. */
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
  /** What the view of `child` shows; null where none is at work or nobody answers for it. */
  inside: GraphRunProgress | null;
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
  const atWork = executions.flatMap((execution) => execution.atWork);
  const inside = progress.child
    ? await readGraphProgress(session, session.client.workflow.getHandle(progress.child.id))
    : undefined;
  return {
    ...withShards(progress, atWork, Date.now()),
    retrying: [...new Set([...executions, ...(inside ? [inside] : [])].flatMap(({ retrying }) => retrying))],
    inside: inside ?? null,
  };
}

/** Progress with what the shards at work have done at `nowMs`. */
export function withShards(
  progress: TagProgress,
  atWork: readonly ShardProgress[],
  nowMs: number,
): Omit<TagRunProgress, 'retrying' | 'inside'> {
  const started = atWork.reduce<Counts>(
    (sum, { tagged, failed }) => addCounts(sum, { images: tagged + failed, tagged, failuresByCode: {} }),
    progress,
  );
  const imagesDone = Math.min(started.images, Math.max(progress.keys, progress.images));
  const { recent } = progress;
  // What is in hand now was not in hand at the start; at any later time about as much was.
  const now = recent?.isStart ? imagesDone : progress.images;
  const rate =
    recent === null || nowMs <= recent.ms ? 0 : (1000 * (now - recent.images)) / (nowMs - recent.ms);
  return {
    ...progress,
    imagesDone,
    failed: failedOf(started),
    inHand: atWork.length,
    phasesMs: atWork.reduce((sum, { phasesMs }) => addTimes(sum, phasesMs), progress.phasesMs),
    lastFailures: atWork
      .flatMap(({ failures }) => failures)
      .reduce((sample, failed) => withFailure(sample, failed, LAST_FAILURES), progress.lastFailures),
    imagesPerSecond: rate > 0 ? rate : null,
    etaSeconds: rate > 0 && progress.paused === null ? (progress.keys - imagesDone) / rate : null,
  };
}
