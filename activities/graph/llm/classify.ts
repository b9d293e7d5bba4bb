import { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';
import { Failure, messageOf, type FailureDetails } from '../../../data/failure.ts';

/** What messages say of the endpoint. */
export interface EndpointNames {
  baseUrl: string;
  model: string;
  /** Environment variable of its key, and whether that is set. */
  apiKeyVariable: string;
  hasKey: boolean;
  timeoutMs: number;
}

/** Codes under which endpoints say that there is no money left, which waiting does not mend. */
const QUOTA_CODES = new Set(['insufficient_quota', 'billing_hard_limit_reached']);

/** Statuses besides 5xx that another try may mend: timeout, conflict, too early. */
const PASSING = new Set([408, 409, 425]);

/**
 * What an error of a request to a language model means, and whether it is tried again: `Llm.RateLimit` and
 * `Llm.Unavailable` are, after as long as the endpoint asks for; `Llm.Forbidden`, `Llm.Quota`, `Llm.NotFound` and
 * `Llm.Rejected` need somebody.
 */
export function classifyLlmError(error: unknown, names: EndpointNames): Failure {
  const { baseUrl, model, apiKeyVariable, hasKey, timeoutMs } = names;
  const fail = (code: string, message: string, details: FailureDetails = {}): Failure =>
    new Failure(code, message, { subject: baseUrl, cause: error, ...details });
  if (error instanceof APIConnectionTimeoutError)
    return fail('Llm.Unavailable', `${baseUrl} did not answer within ${timeoutMs} ms.`, {
      retryable: true,
      hint: 'A slow endpoint needs a longer llmTimeoutMs, a smaller maxOutputTokens or fewer candidates.',
    });
  if (error instanceof APIConnectionError || !(error instanceof APIError))
    return fail('Llm.Unavailable', `${baseUrl} cannot be reached: ${rootMessage(error)}.`, {
      retryable: true,
      hint: 'llmBaseUrl says where the endpoint is.',
    });
  const status = error.status as number | undefined;
  const said = error.message;
  const retryAfterMs = retryAfterOf(error.headers as Headers | undefined, Date.now());
  const again = { retryable: true, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (status === 401 || status === 403)
    return fail('Llm.Forbidden', `${baseUrl} refuses the key: ${said}.`, {
      hint: `The key is that of the worker's environment variable ${apiKeyVariable}, which is ${hasKey ? 'set' : 'not set'}.`,
    });
  if (status === 402 || (status === 429 && QUOTA_CODES.has(error.code ?? '')))
    return fail('Llm.Quota', `${baseUrl} says that the quota is used up: ${said}.`, {
      hint: 'Raise the quota at the provider, then `c2srt resume`.',
    });
  if (status === 429)
    return fail('Llm.RateLimit', `${baseUrl} asks for fewer requests: ${said}.`, {
      ...again,
      hint: 'Lower llmConcurrency, or set llmRequestsPerMinute and llmTokensPerMinute to what it allows.',
    });
  if (status === undefined || status >= 500 || PASSING.has(status))
    return fail('Llm.Unavailable', `${baseUrl} failed: ${said}.`, again);
  if (status === 404)
    return fail(
      'Llm.NotFound',
      `${baseUrl} does not know the model ${model}, or is no such endpoint: ${said}.`,
      {
        hint: 'graph.llm names the model, llmBaseUrl the endpoint (mostly ending in /v1).',
      },
    );
  return fail('Llm.Rejected', `${baseUrl} rejects the request: ${said}.`);
}

/** Whether a request that failed may have cost tokens: it was sent, and nothing says that it was turned away. */
export function mayHaveCost(error: unknown): boolean {
  if (error instanceof APIConnectionTimeoutError) return true;
  if (error instanceof APIError && error.status !== undefined) return false;
  return !NEVER_SENT.test(rootMessage(error));
}

const NEVER_SENT = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_|self-signed/;

/** How long the endpoint asks to wait, in milliseconds: as a number, in seconds, or as a date. */
export function retryAfterOf(headers: Headers | undefined, nowMs: number): number | undefined {
  const exact = Number(headers?.get('retry-after-ms') ?? NaN);
  if (exact >= 0) return exact;
  const header = headers?.get('retry-after');
  if (header === null || header === undefined) return undefined;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : 1000 * seconds;
  return Number.isNaN(waitMs) ? undefined : Math.max(0, Math.round(waitMs));
}

/** The innermost cause of an error, with its code. */
function rootMessage(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return `${typeof code === 'string' ? `${code}: ` : ''}${messageOf(cause)}`;
}
