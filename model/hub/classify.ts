/** The one place that turns what the hub (or the way to it) answers into a Failure. */
import { Failure, messageOf } from '../../data/failure.ts';

interface Model {
  name: string;
  revision: string;
}

/** An answer whose status is not 2xx; `headers` decide where the status is ambiguous. */
export function classifyResponse(
  response: { status: number; headers: Headers },
  { name, revision }: Model,
): Failure {
  const { status, headers } = response;
  const subject = `hub:${name}@${revision}`;
  // The hub answers 401 for what is private or not there, and says more only in this header.
  const reason = headers.get('x-error-code') ?? '';
  if (reason === 'GatedRepo' || status === 403) {
    return new Failure('Hub.Gated', `hub:${name} is gated: its owner grants access on request`, {
      subject,
      hint: `Ask for access on the model's page, then set HF_TOKEN to your access token.`,
    });
  }
  if (reason === 'RevisionNotFound') {
    return new Failure('Hub.NotFound', `hub:${name} has no revision ${revision}`, {
      subject,
      hint: 'Check the part after @: a branch, tag, refs/pr/N or commit.',
    });
  }
  if (status === 401 || status === 404 || status === 410) {
    return new Failure('Hub.NotFound', `the hub has no model ${name}, or not for you`, {
      subject,
      hint: 'Check the name; for a private model set HF_TOKEN to an access token that may read it.',
    });
  }
  if (status === 429) {
    const retryAfterMs = retryAfter(headers);
    return new Failure('Hub.RateLimited', `the hub limits your requests (asked for ${subject})`, {
      subject,
      hint: 'Try again in a few minutes, or set HF_TOKEN: with a token the limits are higher.',
      retryable: true,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  const retryable = status >= 500 || status === 408;
  return new Failure('Hub.Unavailable', `the hub answered ${status} when asked for ${subject}`, {
    subject,
    hint: retryable
      ? 'The hub has a problem of its own; try again later.'
      : 'Check HF_ENDPOINT and any proxy between here and the hub.',
    retryable,
  });
}

/** What the sockets say when there is no way to the hub; everything else is a connection that broke. */
const UNREACHABLE =
  /^(ENOTFOUND|EAI_AGAIN|EAI_FAIL|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|TimeoutError)$/;

/** No answer at all. */
export function classifyNetworkError(error: unknown, model: Model): Failure {
  // `fetch` throws a TypeError around what the socket said.
  const reason = ((error as Error).cause ?? error) as { code?: unknown; name?: unknown };
  const named = typeof reason.code === 'string' ? reason.code : String(reason.name);
  if (UNREACHABLE.test(named)) return offlineFailure(model, error);
  const subject = `hub:${model.name}@${model.revision}`;
  return new Failure('Hub.Unavailable', `the connection to the hub broke (${messageOf(reason)})`, {
    subject,
    hint: 'Try again; what has come is kept.',
    retryable: true,
    cause: error,
  });
}

/** The hub cannot be reached and the cache lacks what was asked for. */
export function offlineFailure({ name, revision }: Model, cause?: unknown): Failure {
  const detail = cause === undefined ? '' : ` (${messageOf((cause as Error).cause ?? cause)})`;
  return new Failure(
    'Hub.Offline',
    `hub:${name}@${revision} is not in the cache and the hub cannot be reached${detail}`,
    {
      subject: `hub:${name}@${revision}`,
      hint:
        'Connect to the network, or bring a checkpoint folder with `c2srt model import DIR --out URI`, ' +
        'or use the bundled demo model.',
      retryable: true,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** `Retry-After` in seconds or as a date, or the `t=` (seconds) of the `RateLimit` header. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after');
  if (text !== null) {
    const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
    return Number.isNaN(ms) ? undefined : Math.max(0, ms);
  }
  const seconds = /(?:^|;)\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
