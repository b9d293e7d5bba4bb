import { APIError } from 'openai';
import type { LlmDialect } from '../../../workflows/graph/graphTypes.ts';

/** What an endpoint that speaks all of the protocol understands: what is tried first. */
export const WHOLE_PROTOCOL: LlmDialect = { format: 'schema', without: [] };

const NEXT_FORMAT = { schema: 'object', object: 'text', text: undefined } as const;

/** Statuses of requests that hold what the endpoint does not know. */
const NOT_UNDERSTOOD = new Set([400, 404, 405, 415, 422, 501]);

/** Parameters that some endpoints or models refuse; without `max_tokens` its newer name is used. */
const OPTIONAL = ['seed', 'temperature', 'max_tokens'] as const;

/**
 * What to say instead after a request was refused; undefined where the refusal is of something else. A parameter that
 * the refusal names is left out; where it names none, and where it names the form of the answer, the form is told in a
 * simpler way: schema, JSON, nothing.
 */
export function dialectAfter(error: unknown, { format, without }: LlmDialect): LlmDialect | undefined {
  if (!(error instanceof APIError) || !NOT_UNDERSTOOD.has(error.status as number)) return undefined;
  const said = `${error.param ?? ''} ${error.code ?? ''} ${error.message}`.toLowerCase();
  const refused = OPTIONAL.find((name) => said.includes(name) && !without.includes(name));
  if (refused !== undefined) return { format, without: [...without, refused] };
  const isFormat = /response_format|json|schema|structured/.test(said);
  // A model that is not there, or a question that is too long, is no matter of form.
  if (!isFormat && (error.status === 404 || /context|too long|does not exist|not found/.test(said)))
    return undefined;
  const next = NEXT_FORMAT[format];
  return next && { format: next, without };
}
