/** What the server and the workers say of a run at work. */
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto, { type temporal } from '@temporalio/proto';
import { QueryNotRegisteredError, ServiceError, type WorkflowHandle } from '@temporalio/client';
import type { QueryDefinition } from '@temporalio/common';
import { QUEUES, type Queue } from '../../workflows/queues.ts';
import type { Session } from './session.ts';

/** A workflow's answer to a query; undefined where no worker answers for it. */
export async function ask<Answer>(
  handle: WorkflowHandle,
  query: QueryDefinition<Answer>,
): Promise<Answer | undefined> {
  try {
    return await handle.query(query);
  } catch (error) {
    // No worker polls the queue (the query times out), or its first task has not been done yet.
    if (error instanceof ServiceError || error instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
}

/** Activities of a workflow that have not ended. */
export interface PendingActivities<Details> {
  /** Last heartbeats of those of the type that was asked for. */
  atWork: Details[];
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
}

/** Pending activities of a workflow; `Details` is what activities of `type` report. */
export async function pendingActivities<Details>(
  { connection, namespace }: Session,
  workflowId: string,
  type: string,
): Promise<PendingActivities<Details>> {
  try {
    const { pendingActivities: pending } = await connection.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId },
    });
    return {
      atWork: pending
        .filter(({ activityType }) => activityType?.name === type)
        .flatMap(({ heartbeatDetails }) =>
          (heartbeatDetails?.payloads ?? []).map((payload: Payload) =>
            defaultPayloadConverter.fromPayload<Details | undefined>(payload),
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
    // The workflow has just ended.
    if (error instanceof Error && 'code' in error) return { atWork: [], retrying: [] };
    throw error;
  }
}

export const { TASK_QUEUE_TYPE_WORKFLOW: WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY: ACTIVITY } =
  proto.temporal.api.enums.v1.TaskQueueType;

/** Whether a worker polls a queue for activities, or for workflows. */
export async function isPolled(
  { connection, namespace }: Session,
  queue: Queue,
  type: temporal.api.enums.v1.TaskQueueType = ACTIVITY,
): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    taskQueueType: type,
  });
  return pollers.length > 0;
}

/** Queues that every run needs and that no worker polls. */
export async function unpolledQueues(session: Session): Promise<string[]> {
  const checks = await Promise.all([
    isPolled(session, QUEUES.orchestrate, WORKFLOW).then((found) => (found ? [] : [QUEUES.orchestrate])),
    isPolled(session, QUEUES.gpu).then((found) => (found ? [] : [QUEUES.gpu])),
  ]);
  return checks.flat();
}
