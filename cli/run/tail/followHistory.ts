import { isGrpcServiceError } from '@temporalio/client';
import type { Session } from '../session.ts';
import type { HistoryEvent } from './historyEvents.ts';

/** How far a history has been read; kept over lost connections. */
export interface HistoryPosition {
  /** Undefined before the first event. */
  runId?: string;
  /** Of the last event that was read of this execution. */
  eventId: number;
}

/** An event, and whether it is the last one, or was when the history was first looked at. */
export interface ReadEvent {
  event: HistoryEvent;
  isLast: boolean;
}

/**
 * The events of a workflow from `position` on, its executions that continue one another in turn; waits for new ones until
 * the last execution has ended. The position follows what has been read, so another call goes on from there.
 */
export async function* followHistory(
  { connection, namespace }: Session,
  workflowId: string,
  position: HistoryPosition,
  signal: AbortSignal,
): AsyncGenerator<ReadEvent> {
  const { workflowService } = connection;
  const within = <T>(call: () => Promise<T>): Promise<T> => connection.withAbortSignal(signal, call);
  const { workflowExecutionInfo: info } = await within(() =>
    workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } }),
  );
  const latest = info?.execution?.runId ?? '';
  const known = Number(info?.historyLength ?? 0);
  position.runId ??= await firstRunId(latest);
  for (;;) {
    let next: string | undefined;
    let nextPageToken: Uint8Array | undefined;
    do {
      const request = {
        ...{ namespace, execution: { workflowId, runId: position.runId }, waitNewEvent: true },
        ...(nextPageToken && { nextPageToken }),
      };
      const page = await within(() => workflowService.getWorkflowExecutionHistory(request));
      for (const event of page.history?.events ?? []) {
        const id = Number(event.eventId);
        next = nextRunId(event) ?? next;
        if (id <= position.eventId) continue;
        position.eventId = id;
        yield { event, isLast: position.runId === latest && id >= known };
      }
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    if (next === undefined) return;
    Object.assign(position, { runId: next, eventId: 0 });
  }

  /** The execution that the latest one goes on from. */
  async function firstRunId(runId: string): Promise<string> {
    const request = { namespace, execution: { workflowId, runId }, maximumPageSize: 1 };
    const { history } = await within(() => workflowService.getWorkflowExecutionHistory(request));
    return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId || runId;
  }
}

function nextRunId(event: HistoryEvent): string | undefined {
  const attributes =
    event.workflowExecutionContinuedAsNewEventAttributes ??
    event.workflowExecutionCompletedEventAttributes ??
    event.workflowExecutionFailedEventAttributes;
  return attributes?.newExecutionRunId || undefined;
}

const NOT_FOUND = 5;

/** Whether a server does not (or no longer) know the workflow. */
export const isUnknownWorkflow = (error: unknown): boolean =>
  isGrpcServiceError(error) && (error.code as number) === NOT_FOUND;
