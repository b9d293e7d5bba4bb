import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, type SignalDefinition, type UpdateDefinition } from '@temporalio/common';
import { Failure } from '../../../data/failure.ts';
import type { Asked } from '../../../workflows/control/requests.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import { isPolled, WORKFLOW } from '../pending.ts';
import type { Session } from '../session.ts';

/** How long an answer is waited for; a worker at work gives it within a second. */
const ANSWER_MS = 10_000;

/** What became of a request. */
export type Reply<Answer> =
  | { answer: Answer }
  /** Why there is no answer yet; a sentence's beginning. */
  | { unanswered: string };

export interface Request<Answer, Change> {
  update: UpdateDefinition<Answer, [Asked & Change]>;
  /** The same request for servers where no worker answers: it waits for one. Without, nothing is left behind. */
  signal?: SignalDefinition<[Asked & Change]>;
  change: Change;
}

/**
 * Asks something of a run at work, and returns its answer. Where none comes, because no worker polls the queue or none
 * has answered in ten seconds, the request is left with the server for the first worker that comes.
 *
 * Throws the run's refusal, and `Run.Ended` where the run ends meanwhile.
 */
export async function request<Answer, Change extends object>(
  session: Session,
  handle: WorkflowHandle,
  { update, signal, change }: Request<Answer, Change>,
): Promise<Reply<Answer>> {
  const asked = { id: randomUUID(), by: userInfo().username, ...change };
  const leave = async (why: string): Promise<Reply<Answer>> => {
    if (signal) await handle.signal(signal, asked).catch((error: unknown) => rethrow(handle, error));
    return { unanswered: why };
  };
  const nobody = `no worker polls \`${QUEUES.orchestrate}\``;
  if (!(await isPolled(session, QUEUES.orchestrate, WORKFLOW))) return leave(nobody);

  const over = new AbortController();
  const options = { args: [asked] as [Asked & Change], updateId: asked.id };
  const answered = session.client.withAbortSignal(over.signal, () => handle.executeUpdate(update, options));
  answered.catch(() => undefined);
  const late = sleep(ANSWER_MS, undefined, { signal: over.signal });
  late.catch(() => undefined);
  try {
    const first = await Promise.race([answered.then((answer) => ({ answer })), late]);
    if (first) return first;
  } catch (error) {
    if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) rethrow(handle, error);
  } finally {
    over.abort();
    await Promise.allSettled([answered, late]);
  }
  return leave(`no worker has answered in ${ANSWER_MS / 1000} seconds`);
}

function rethrow({ workflowId }: WorkflowHandle, error: unknown): never {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  const hasEnded =
    error instanceof WorkflowNotFoundError ||
    (cause instanceof ApplicationFailure && cause.type === 'AcceptedUpdateCompletedWorkflow');
  if (hasEnded)
    throw new Failure('Run.Ended', `Run ${workflowId} has ended meanwhile.`, {
      subject: workflowId,
      hint: `\`c2srt status ${workflowId}\` says how.`,
      cause: error,
    });
  if (cause instanceof ApplicationFailure)
    throw new Failure(cause.type ?? 'Run.Refused', `Run ${workflowId} ${cause.message}.`, {
      subject: workflowId,
      cause: error,
    });
  throw error;
}
