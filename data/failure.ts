/** What a {@link Failure} says besides its code. */
export interface FailureDetails {
  /** The key, file or URI that the failure is about. */
  subject?: string;
  /** What the user can do about it; a full sentence. */
  hint?: string;
  /** Whether the same call may succeed later without anyone changing anything. Default false. */
  retryable?: boolean;
  /** How long the provider asked to wait before the next try, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/**
 * A failure with a dotted code, domain first (`Image.Corrupt`, `Store.NotFound`).
 *
 * The message says what went wrong and with which key or file; {@link FailureDetails.hint} what to do. Each provider
 * has one classifier that turns its errors into these: nothing else decides whether something is retried.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;
  readonly subject: string | undefined;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.subject = details.subject;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Whether `error` is a {@link Failure}, of the given code (or domain, as `Store.`) where one is named. */
export function isFailure(error: unknown, code?: string): error is Failure {
  if (!(error instanceof Failure)) return false;
  return code === undefined || error.code === code || (code.endsWith('.') && error.code.startsWith(code));
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
