import OpenAI from 'openai';
import { Failure } from '../../../data/failure.ts';
import type { Tokens } from '../../../data/graph/tokens.ts';
import type { Message } from '../../../model/graph/prompt.ts';
import type { LlmDialect } from '../../../workflows/graph/graphTypes.ts';
import type { EndpointNames } from './classify.ts';

export interface LlmRequest {
  model: string;
  messages: readonly Message[];
  /** JSON schema of the answer. */
  schema: Record<string, unknown>;
  seed: number;
  maxOutputTokens: number;
  dialect: LlmDialect;
}

export interface LlmAnswer {
  text: string;
  /** Why the model does not answer; null where it does. */
  refusal: string | null;
  /** As the endpoint counts them; null where it does not say. */
  tokens: Tokens | null;
}

/** A language model's endpoint. */
export interface Llm {
  names(model: string): EndpointNames;
  /**
   * One request, not repeated: who asks decides what happens next. Throws what the OpenAI client throws, and Failure
   * `Llm.Protocol` for what is no answer of the protocol.
   */
  ask(request: LlmRequest): Promise<LlmAnswer>;
}

export interface LlmOptions {
  baseUrl: string;
  apiKeyVariable: string;
  /** Undefined where the variable is not set: many servers of one's own want no key. */
  apiKey: string | undefined;
  timeoutMs: number;
}

/** The endpoint at a base URL, of any server that speaks the OpenAI protocol's chat completions. */
export function createLlm({ baseUrl, apiKeyVariable, apiKey, timeoutMs }: LlmOptions): Llm {
  const client = new OpenAI({
    baseURL: baseUrl,
    apiKey: apiKey ?? 'none',
    timeout: timeoutMs,
    // Temporal repeats, where everybody can see it.
    maxRetries: 0,
    logLevel: 'off',
  });
  return {
    names: (model) => ({ baseUrl, model, apiKeyVariable, hasKey: apiKey !== undefined, timeoutMs }),
    async ask({ model, messages, schema, seed, maxOutputTokens, dialect: { format, without } }) {
      const parameters = { temperature: 0, seed, max_tokens: maxOutputTokens };
      const understood = Object.entries(parameters).filter(([name]) => !without.includes(name));
      const completion = await client.chat.completions.create({
        model,
        messages: [...messages],
        ...Object.fromEntries(understood),
        ...(without.includes('max_tokens') && { max_completion_tokens: maxOutputTokens }),
        ...(format === 'schema' && {
          response_format: {
            type: 'json_schema' as const,
            json_schema: { name: 'category_edges', strict: true, schema },
          },
        }),
        ...(format === 'object' && { response_format: { type: 'json_object' as const } }),
      });
      // What answers at an address may be anything: of a page of HTML the client makes a string.
      const { choices, usage } = completion as Partial<typeof completion>;
      const choice = choices?.[0];
      if (!choice?.message)
        throw new Failure('Llm.Protocol', `${baseUrl} answered with something else than a completion.`, {
          subject: baseUrl,
          // A gateway may be showing a page of its own while the server behind it starts.
          retryable: true,
          hint: 'llmBaseUrl should be that of an OpenAI-compatible server (mostly ending in /v1).',
        });
      const { content, refusal } = choice.message;
      return {
        text: content ?? '',
        refusal: refusal ?? (choice.finish_reason === 'content_filter' ? 'the content filter' : null),
        tokens: usage ? { input: usage.prompt_tokens, output: usage.completion_tokens } : null,
      };
    },
  };
}
