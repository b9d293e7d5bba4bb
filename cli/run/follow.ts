import { setTimeout as sleep } from 'node:timers/promises';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { Failure } from '../../data/failure.ts';
import type { ProgressDisplay } from './progressDisplay.ts';
import { unpolledQueues } from './pending.ts';
import type { LiveProgress, RunView } from './runView.ts';
import type { Session } from './session.ts';

const POLL_INTERVAL_MS = 2_000;

/** How a followed run ended, or why it does not go on. */
export type FollowOutcome =
  | { kind: 'finished'; result: unknown }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'paused'; reason: string }
  /** Interrupted before it was sure to be at work. */
  | { kind: 'interrupted' }
  | { kind: 'detached' };

/** Follows a run until it ends or pauses, or `signal` is aborted. */
export async function follow(
  session: Session,
  handle: WorkflowHandle,
  view: RunView,
  display: ProgressDisplay<LiveProgress>,
  signal: AbortSignal,
): Promise<FollowOutcome> {
  // Requests that are under way when the following ends must not outlive the connection.
  const over = new AbortController();
  const within = <T>(work: () => Promise<T>): Promise<T> => session.client.withAbortSignal(over.signal, work);
  const ended = within(() => awaitEnd(handle, over.signal));
  const interrupted = new Promise<FollowOutcome>((resolve) => {
    const detach = (): void => resolve({ kind: 'detached' });
    if (signal.aborted) detach();
    else signal.addEventListener('abort', detach);
  });
  const watch = async (): Promise<FollowOutcome> => {
    for (;;) {
      try {
        const progress = await view.readProgress(session, handle);
        if (progress && progress.paused !== null) return { kind: 'paused', reason: progress.paused };
        if (progress) display.show(progress);
        else display.waiting(await unpolledQueues(session));
      } catch (error) {
        if (!isServiceError(error)) throw error;
        display.line(`waiting for the Temporal server: ${error.message}`);
      }
      await sleep(POLL_INTERVAL_MS, undefined, { signal: over.signal });
    }
  };
  const watching = within(watch);
  watching.catch(() => undefined);
  try {
    return await Promise.race([ended, interrupted, watching]);
  } finally {
    over.abort();
    await Promise.allSettled([ended, watching]);
  }
}

/** How a run ended. A server that is down for a while is waited for: the run is not over because nobody can ask. */
async function awaitEnd(handle: WorkflowHandle, signal: AbortSignal): Promise<FollowOutcome> {
  for (;;) {
    try {
      return { kind: 'finished', result: await handle.result() };
    } catch (error) {
      if (!isServiceError(error)) return { kind: 'failed', failure: rootFailure(error) };
      await sleep(POLL_INTERVAL_MS, undefined, { signal });
    }
  }
}

const isServiceError = (error: unknown): error is Error =>
  error instanceof ServiceError || isGrpcServiceError(error);

/** The innermost failure of a workflow, with the code and hint that the activity gave it. */
export function rootFailure(error: unknown): Failure {
  let cause: unknown = error;
  while (cause instanceof Error && cause.cause instanceof Error && !(cause instanceof ApplicationFailure))
    cause = cause.cause;
  if (cause instanceof ApplicationFailure) {
    const { hint } = (cause.details?.[0] ?? {}) as { hint?: string };
    return new Failure(cause.type ?? 'Internal.Unexpected', cause.message, {
      cause: error,
      ...(hint !== undefined && { hint }),
    });
  }
  const resume = 'Its folder keeps what was done: `c2srt resume` goes on from there.';
  if (cause instanceof CancelledFailure)
    return new Failure('Run.Cancelled', 'The run was cancelled.', { cause: error, hint: resume });
  if (cause instanceof TerminatedFailure)
    return new Failure('Run.Terminated', 'The run was terminated.', { cause: error, hint: resume });
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Failure(error instanceof WorkflowFailedError ? 'Run.Failed' : 'Internal.Unexpected', message, {
    cause: error,
    hint: resume,
  });
}
