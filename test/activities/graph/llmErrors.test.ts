import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';
import { expect, test } from 'vitest';
import {
  classifyLlmError,
  mayHaveCost,
  retryAfterOf,
  type EndpointNames,
} from '../../../activities/graph/llm/classify.ts';
import { createLlm } from '../../../activities/graph/llm/client.ts';
import { dialectAfter, WHOLE_PROTOCOL } from '../../../activities/graph/llm/dialect.ts';

const names: EndpointNames = {
  baseUrl: 'http://endpoint/v1',
  model: 'some-model',
  apiKeyVariable: 'SOME_KEY',
  hasKey: false,
  timeoutMs: 1000,
};
const status = (code: number, error: object = { message: 'no' }, headers: Record<string, string> = {}) =>
  APIError.generate(code, { error }, undefined, new Headers(headers));

test.each<[string, unknown, string, boolean]>([
  ['401', status(401), 'Llm.Forbidden', false],
  ['403', status(403), 'Llm.Forbidden', false],
  ['402', status(402), 'Llm.Quota', false],
  ['404', status(404), 'Llm.NotFound', false],
  ['400', status(400), 'Llm.Rejected', false],
  ['413', status(413), 'Llm.Rejected', false],
  ['422', status(422), 'Llm.Rejected', false],
  ['408', status(408), 'Llm.Unavailable', true],
  ['409', status(409), 'Llm.Unavailable', true],
  ['429', status(429), 'Llm.RateLimit', true],
  ['429 without money', status(429, { message: 'no', code: 'insufficient_quota' }), 'Llm.Quota', false],
  ['500', status(500), 'Llm.Unavailable', true],
  ['503', status(503), 'Llm.Unavailable', true],
  ['529', status(529), 'Llm.Unavailable', true],
  ['a timeout', new APIConnectionTimeoutError(), 'Llm.Unavailable', true],
  ['a refused connection', new APIConnectionError({ message: 'Connection error.' }), 'Llm.Unavailable', true],
  ['a body that ends early', new SyntaxError('Unexpected end of JSON input'), 'Llm.Unavailable', true],
])('%s is %s', (_, error, code, retryable) => {
  expect(classifyLlmError(error, names)).toMatchObject({ code, retryable, subject: names.baseUrl });
});

test('a refused key is named by its variable, never by its value', () => {
  expect(classifyLlmError(status(401), names).hint).toContain('SOME_KEY, which is not set');
  expect(classifyLlmError(status(401), { ...names, hasKey: true }).hint).toContain('SOME_KEY, which is set');
});

test.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
  [{ 'retry-after': 'Thu, 01 Jan 1970 00:01:10 GMT' }, 10_000],
  [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
])('how long to wait by the headers %j: %s ms', (headers, waitMs) => {
  expect(retryAfterOf(new Headers(headers as Record<string, string>), 60_000)).toBe(waitMs);
});

test('what the endpoint asks to wait is what the failure says', () => {
  const error = status(429, { message: 'slow down' }, { 'retry-after': '3' });
  expect(classifyLlmError(error, names)).toMatchObject({ code: 'Llm.RateLimit', retryAfterMs: 3000 });
});

test.each<[string, unknown, boolean]>([
  ['an answer that did not come in time', new APIConnectionTimeoutError(), true],
  ['a status', status(500), false],
  [
    'a refused connection',
    new APIConnectionError({ cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }),
    false,
  ],
  [
    'a connection that was lost',
    new APIConnectionError({ cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) }),
    true,
  ],
  ['a body that ends early', new SyntaxError('Unexpected end of JSON input'), true],
])('whether %s may have cost something', (_, error, expected) => {
  expect(mayHaveCost(error)).toBe(expected);
});

const { format, without } = WHOLE_PROTOCOL;
test.each<[string, unknown, object | undefined]>([
  ['a schema', status(400, { message: 'json_schema is not supported' }), { format: 'object', without }],
  [
    'response_format',
    status(400, { message: 'unknown', param: 'response_format' }),
    { format: 'object', without },
  ],
  ['nothing in particular', status(400, { message: 'Bad Request' }), { format: 'object', without }],
  [
    'the path with a form',
    status(422, { message: 'extra fields: response_format' }),
    { format: 'object', without },
  ],
  ['seed', status(400, { message: 'Unsupported parameter', param: 'seed' }), { format, without: ['seed'] }],
  [
    'temperature',
    status(400, { message: "'temperature' does not support 0 with this model." }),
    { format, without: ['temperature'] },
  ],
  [
    'max_tokens',
    status(400, { message: "'max_tokens' is not supported. Use 'max_completion_tokens'." }),
    { format, without: ['max_tokens'] },
  ],
  ['the model', status(404, { message: 'The model does not exist' }), undefined],
  ['the length', status(400, { message: 'maximum context length exceeded' }), undefined],
  ['the key', status(401), undefined],
  ['the rate', status(429, { message: 'seed requests' }), undefined],
  ['nobody: a timeout', new APIConnectionTimeoutError(), undefined],
])('what is said instead where an endpoint refuses %s', (_, error, expected) => {
  expect(dialectAfter(error, WHOLE_PROTOCOL)).toEqual(expected);
});

test('the form gets simpler until there is none, and what was left out is not left out again', () => {
  const refusal = status(400, { message: 'response_format' });
  expect(dialectAfter(refusal, { format: 'object', without: [] })).toEqual({ format: 'text', without: [] });
  expect(dialectAfter(refusal, { format: 'text', without: [] })).toBeUndefined();
  const seed = status(400, { message: 'seed' });
  expect(dialectAfter(seed, { format: 'text', without: ['seed'] })).toBeUndefined();
});

test('against real connections: nobody listens; the answer is too slow', async () => {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const llm = createLlm({
    baseUrl: `http://127.0.0.1:${port}/v1`,
    apiKeyVariable: 'SOME_KEY',
    apiKey: undefined,
    timeoutMs: 200,
  });
  const ask = () =>
    llm.ask({
      ...{ model: 'm', messages: [], schema: {}, seed: 0, maxOutputTokens: 1, dialect: WHOLE_PROTOCOL },
    });
  const slow: unknown = await ask().catch((error: unknown) => error);
  expect(classifyLlmError(slow, llm.names('m'))).toMatchObject({
    code: 'Llm.Unavailable',
    message: expect.stringContaining('200 ms') as string,
  });
  expect(mayHaveCost(slow)).toBe(true);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  const refused: unknown = await ask().catch((error: unknown) => error);
  expect(classifyLlmError(refused, llm.names('m'))).toMatchObject({
    code: 'Llm.Unavailable',
    message: expect.stringContaining('ECONNREFUSED') as string,
  });
  expect(mayHaveCost(refused)).toBe(false);
});
