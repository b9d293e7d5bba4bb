/** Where a run is, from the workflow's own answer and the heartbeats of the activities at work. */
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto, { type temporal } from '@temporalio/proto';
import { QueryNotRegisteredError, ServiceError, type WorkflowHandle } from '@temporalio/client';
import type { ShardProgress } from '../../activities/tag/tagShard.ts';
import { addCounts, failedOf, type Counts } from '../../data/run/counts.ts';
import { progressQuery } from '../../workflows/signals.ts';
import { QUEUES } from '../../workflows/queues.ts';
import type { TagProgress } from '../../workflows/types.ts';
import type { Session } from './session.ts';

/** Progress of a run as a person wants it. */
export interface RunProgress extends TagProgress {
  /** Images done, those of unfinished shards included. */
  imagesDone: number;
  failed: number;
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
}

/** Reads the progress of a run; undefined where no worker answers for it. */
export async function readProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<RunProgress | undefined> {
  let progress: TagProgress;
  try {
    progress = await handle.query(progressQuery);
  } catch (error) {
    // No worker polls the queue (the query times out), or its first task has not been done yet.
    if (error instanceof ServiceError || error instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
  const executions = await Promise.all(
    [handle.workflowId, ...progress.children].map((id) => describePending(session, id)),
  );
  const inWork = executions.flatMap(({ shards }) => shards);
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

async function describePending(
  { connection, namespace }: Session,
  workflowId: string,
): Promise<{ shards: ShardProgress[]; retrying: string[] }> {
  try {
    const { pendingActivities } = await connection.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId },
    });
    const pending = pendingActivities;
    return {
      shards: pending
        .filter(({ activityType }) => activityType?.name === 'tagShard')
        .flatMap(({ heartbeatDetails }) =>
          (heartbeatDetails?.payloads ?? []).map((payload: Payload) =>
            defaultPayloadConverter.fromPayload<ShardProgress | undefined>(payload),
          ),
        )
        .filter((details) => details !== undefined),
      retrying: pending.flatMap(({ lastFailure, attempt }) =>
        lastFailure && (attempt ?? 1) > 1
          ? [`${lastFailure.applicationFailureInfo?.type ?? 'Worker.Lost'}: ${lastFailure.message ?? ''}`]
          : [],
      ),
    };
  } catch (error) {
    // The child has just ended.
    if (error instanceof Error && 'code' in error) return { shards: [], retrying: [] };
    throw error;
  }
}

const { TASK_QUEUE_TYPE_WORKFLOW: WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY: ACTIVITY } =
  proto.temporal.api.enums.v1.TaskQueueType;

/** Queues of a run that no worker polls. */
export async function unpolledQueues({ connection, namespace }: Session): Promise<string[]> {
  const polled = async (name: string, type: temporal.api.enums.v1.TaskQueueType) => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name },
      taskQueueType: type,
    });
    return pollers.length > 0;
  };
  const checks = await Promise.all([
    polled(QUEUES.orchestrate, WORKFLOW).then((found) => (found ? [] : [QUEUES.orchestrate])),
    polled(QUEUES.gpu, ACTIVITY).then((found) => (found ? [] : [QUEUES.gpu])),
  ]);
  return checks.flat();
}
