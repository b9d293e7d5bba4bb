import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { isFailure, messageOf } from '../data/failure.ts';

/** Errors that no retry mends: they are mistakes in our code. */
const BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];

/**
 * Turns what activities throw into Temporal's failures, in one place: a Failure keeps its code as type, and says itself
 * whether to retry and how long to wait.
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  async execute(
    input: Parameters<Next<ActivityInboundCallsInterceptor, 'execute'>>[0],
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      throw toTemporal(error);
    }
  }
}

function toTemporal(error: unknown): unknown {
  if (error instanceof TemporalFailure || error instanceof CancelledFailure) return error;
  if (isFailure(error)) {
    const { code, message, hint, retryable, retryAfterMs } = error;
    return ApplicationFailure.create({
      type: code,
      message,
      nonRetryable: !retryable,
      details: [{ hint }],
      cause: error,
      ...(retryAfterMs !== undefined && { nextRetryDelay: retryAfterMs }),
    });
  }
  const isBug = BUGS.some((kind) => error instanceof kind);
  return ApplicationFailure.create({
    type: isBug ? 'Internal.Bug' : 'Internal.Unexpected',
    message: messageOf(error),
    nonRetryable: isBug,
    ...(error instanceof Error && { cause: error }),
  });
}
