import { QUEUES, type Queue } from '../../../workflows/queues.ts';
import { ACTIVITY, WORKFLOW } from '../pending.ts';
import type { Session } from '../session.ts';

/** A task queue as the server sees it. */
export interface QueueState {
  queue: Queue;
  /** Tasks that wait for a worker, about; null where the server does not say. */
  backlog: number | null;
  /** How long the oldest of them has waited. */
  backlogAgeSeconds: number | null;
  /** Processes that have polled in the last five minutes; a worker with its hands full does not poll. */
  pollers: { identity: string; lastSeenSeconds: number }[];
}

/** The queues of all runs: workflows and activities of a queue together. */
export const queueStates = (session: Session): Promise<QueueState[]> =>
  Promise.all(Object.values(QUEUES).map((queue) => stateOf(session, queue)));

async function stateOf({ connection, namespace }: Session, queue: Queue): Promise<QueueState> {
  const kinds = queue === 'orchestrate' ? [WORKFLOW, ACTIVITY] : [ACTIVITY];
  const described = await Promise.all(
    kinds.map((taskQueueType) =>
      connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: queue },
        taskQueueType,
        reportStats: true,
      }),
    ),
  );
  const stats = described.flatMap((one) => (one.stats ? [one.stats] : []));
  const seen = new Map<string, number>();
  for (const { identity, lastAccessTime } of described.flatMap(({ pollers }) => pollers)) {
    const seconds = Math.max(0, Math.round(Date.now() / 1000 - toNumber(lastAccessTime?.seconds)));
    const name = identity ?? '';
    seen.set(name, Math.min(seconds, seen.get(name) ?? Infinity));
  }
  return {
    queue,
    backlog: stats.length === 0 ? null : sum(stats.map((one) => toNumber(one.approximateBacklogCount))),
    backlogAgeSeconds:
      stats.length === 0
        ? null
        : Math.max(...stats.map((one) => toNumber(one.approximateBacklogAge?.seconds))),
    pollers: [...seen].map(([identity, lastSeenSeconds]) => ({ identity, lastSeenSeconds })),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Of the 64-bit integers of a reply. */
const toNumber = (value: { toString(): string } | null | undefined): number => Number(String(value ?? 0));

/** `gpu          3 waiting (12 s), 2 workers`; queues that nobody uses are left out. */
export const queueLines = (queues: readonly QueueState[]): string[] =>
  queues
    .filter(({ backlog, pollers }) => (backlog ?? 0) > 0 || pollers.length > 0)
    .map(({ queue, backlog, backlogAgeSeconds, pollers }) => {
      const age = backlogAgeSeconds === null || (backlog ?? 0) === 0 ? '' : ` (${backlogAgeSeconds} s)`;
      const last = Math.min(...pollers.map(({ lastSeenSeconds }) => lastSeenSeconds));
      const who =
        pollers.length === 0
          ? 'no worker'
          : `${pollers.length} ${pollers.length === 1 ? 'worker' : 'workers'}, the last seen ${last} s ago`;
      return `  queue    ${queue}: ${backlog ?? '?'} waiting${age}, ${who}`;
    });
