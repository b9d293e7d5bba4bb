import { Context } from '@temporalio/activity';

/** Between heartbeats of an activity at work; the SDK sends fewer where the timeout allows. */
const HEARTBEAT_INTERVAL_MS = 1_000;

/** What an activity's work is given of its surroundings. */
export interface ActivityScope<Details> {
  /** Aborted on cancellation and on the worker's shutdown. */
  signal: AbortSignal;
  /** 1 for the first attempt. */
  attempt: number;
  /** Details of the last heartbeat of the attempt before. */
  previous: Details | undefined;
  /** Sets what the next heartbeats carry. */
  report(details: Details): void;
}

/**
 * Runs the work of an activity with a heartbeat that starts before it does and does not depend on it: a long fetch or
 * inference is not taken for a lost worker. The details of the attempt before stay until the work reports its own, and
 * the last that it reports reach the next attempt however this one ends. A cancelled activity ends as cancelled, whatever
 * its work threw.
 */
export async function withHeartbeat<Details, Result>(
  work: (scope: ActivityScope<Details>) => Promise<Result>,
): Promise<Result> {
  const context = Context.current();
  const previous = (context.info.heartbeatDetails ?? undefined) as Details | undefined;
  let details = previous;
  context.heartbeat(details);
  const timer = setInterval(() => context.heartbeat(details), HEARTBEAT_INTERVAL_MS);
  try {
    return await work({
      signal: context.cancellationSignal,
      attempt: context.info.attempt,
      previous,
      report: (given) => (details = given),
    });
  } catch (error) {
    context.heartbeat(details);
    if (context.cancellationSignal.aborted) await context.cancelled;
    throw error;
  } finally {
    clearInterval(timer);
  }
}
