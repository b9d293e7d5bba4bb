/** Questions to a real server of the OpenAI protocol on this machine, and answers in a real folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askCategories, type AskOptions } from '../../../activities/graph/askCategories.ts';
import { cachedAnswers } from '../../../activities/graph/answerCache.ts';
import { spentOf } from '../../../activities/graph/ledger.ts';
import { createLlm } from '../../../activities/graph/llm/client.ts';
import { graphSettingsSchema } from '../../../data/config/graphSchema.ts';
import { answerKey } from '../../../data/graph/graphLayout.ts';
import { readAnswerFile, type Answer, type GraphPlan } from '../../../data/graph/graphPlan.ts';
import type { GraphEdge } from '../../../data/graphFile.ts';
import type { GraphRecord } from '../../../data/run/record.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { AskInput, AskResult } from '../../../workflows/graph/graphTypes.ts';
import { startLlmServer, type LlmServer } from '../../support/servers/llmServer.ts';

const names = ['wolf', 'animal', 'forest', 'car'];
const known: GraphEdge[] = [
  { source: 'wolf', target: 'animal', relation: 'is-a', strength: 0.9 },
  { source: 'forest', target: 'wolf', relation: 'co-occurrence', strength: 0.4 },
];
const plan: GraphPlan = {
  version: 1,
  attempt: 'a',
  nodes: names.map((name) => ({ name, aliases: [], seen: true })),
  calls: names.map((_, category) => ({
    category,
    candidates: names.flatMap((_, other) => (other === category ? [] : [other])),
  })),
  mostTokens: 3000,
};
const settings = graphSettingsSchema.parse({ provider: 'llm', llm: 'm', seed: 7, maxOutputTokens: 300 });
const record: GraphRecord = {
  ...{ version: 1, kind: 'graph', id: 'graph-x', createdAt: '2025-01-01T00:00:00Z' },
  spec: {
    ...{ vocabulary: '', model: null, extend: false, graph: null, snapshot: null, cache: null, settings },
  },
};
/** Dollars per request of the server, which takes 100 and 50 tokens. */
const prices = { input: 1, output: 10 };

let dir: string;
let output: ObjectStore;
let cache: ObjectStore;
let server: LlmServer;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'c2srt-ask-'));
  output = openStore(join(dir, 'run'));
  cache = openStore(join(dir, 'cache'));
  await output.put('_run.json', '{}');
  server = await startLlmServer(known);
});
afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

function ask(change: Partial<AskInput> = {}, more: Partial<AskOptions> = {}): Promise<AskResult> {
  const input: AskInput = {
    ...{ output: output.uri, batch: 'b', from: 0, to: 4, allowance: null, dialect: null },
    pace: { requestMs: 0, tokenMs: 0 },
    ...change,
  };
  const llm = createLlm({
    ...{ baseUrl: server.baseUrl, apiKeyVariable: 'SOME_KEY', apiKey: 'the-key', timeoutMs: 5000 },
  });
  return askCategories({
    ...{ input, output, record, plan, cache, llm, attempt: 1, report: () => undefined },
    signal: new AbortController().signal,
    ...more,
  });
}
const answer = (call: number): Promise<Answer> => readAnswerFile(output, answerKey(call));

test('each question once, with the whole protocol; answers in the folder and in the cache', async () => {
  const result = await ask();
  expect(result).toEqual({
    next: 4,
    fallbacks: 0,
    spent: { input: 400, output: 200 },
    dialect: { format: 'schema', without: [] },
  });
  expect(server.calls.map(({ category }) => category)).toEqual(names);
  expect(server.calls[0]).toMatchObject({
    authorization: 'Bearer the-key',
    candidates: ['animal', 'forest', 'car'],
    body: {
      ...{ model: 'm', temperature: 0, seed: 7, max_tokens: 300 },
      response_format: { type: 'json_schema', json_schema: { strict: true } },
    },
  });
  expect(await answer(0)).toMatchObject({ category: 'wolf', edges: known, fallback: null });
  expect(await spentOf(output)).toEqual(result.spent);
  expect(await cachedAnswers(cache, settings, plan.nodes)).toHaveLength(4);
  // Other words, another model or seed are other questions.
  expect(await cachedAnswers(cache, { ...settings, seed: 8 }, plan.nodes)).toEqual([]);

  expect(await ask({ batch: 'again' })).toMatchObject({ next: 4, spent: { input: 0, output: 0 } });
  expect(server.calls).toHaveLength(4);
});

test('an endpoint without schemas, JSON mode, seeds and temperatures: what works is found once', async () => {
  const refuse = (message: string) => ({ status: 400, error: { message } });
  server.fault = ({ body }) => {
    const format = (body['response_format'] as { type: string } | undefined)?.type;
    if (format === 'json_schema') return refuse('Unknown response_format json_schema.');
    if (format === 'json_object') return refuse('response_format is unknown.');
    if (body['seed'] !== undefined) return refuse('seed?');
    return body['max_tokens'] === undefined ? undefined : refuse('use max_completion_tokens, not max_tokens');
  };
  const result = await ask();
  expect(result).toMatchObject({
    next: 4,
    fallbacks: 0,
    dialect: { format: 'text', without: ['seed', 'max_tokens'] },
    // Refusals cost nothing.
    spent: { input: 400, output: 200 },
  });
  expect(server.calls).toHaveLength(4 + 4);
  expect(server.calls.at(-1)!.body).toMatchObject({ max_completion_tokens: 300, temperature: 0 });
  expect(await answer(0)).toMatchObject({ edges: known });

  // The next batch is told.
  await output.delete([answerKey(0)]);
  await ask({ batch: 'c', from: 0, to: 1, dialect: result.dialect });
  expect(server.calls).toHaveLength(9);
});

test.each([
  [
    'truncated',
    '{"edges": [{"source": "wolf", "target": "animal", "relation": "is-a", "strength": 0.9}, {"sou',
  ],
  [
    'fenced',
    '```json\n{"edges": [{"source": "wolf", "target": "animal", "relation": "is-a", "strength": 0.9}]}\n```',
  ],
])('an answer that is %s is mended, not asked for again', async (_, text) => {
  server.fault = () => ({ text });
  await ask({ to: 1 });
  expect(server.calls).toHaveLength(1);
  expect(await answer(0)).toMatchObject({ edges: [known[0]], repaired: true, fallback: null });
});

test.each([
  ['empty', ''],
  ['of another form', '{"answer": 42}'],
  ['no JSON', 'As a language model I like wolves.'],
])('an answer that is %s is asked for once more, with the reason', async (_, text) => {
  server.fault = ({ nth }) => (nth === 1 ? { text } : undefined);
  expect(await ask({ to: 1 })).toMatchObject({ fallbacks: 0, spent: { input: 200, output: 100 } });
  expect(server.calls).toHaveLength(2);
  expect(JSON.stringify(server.calls[1]!.body)).toContain('could not be read');
  expect(await answer(0)).toMatchObject({ edges: known, fallback: null });
});

test('twice unreadable, and a refusal: recorded, neither asked a third time nor kept for later runs', async () => {
  server.fault = ({ category }) =>
    category === 'wolf'
      ? { text: 'no' }
      : category === 'animal'
        ? { refusal: 'I would rather not' }
        : undefined;
  expect(await ask()).toMatchObject({ next: 4, fallbacks: 2 });
  expect(server.calls.map(({ category }) => category)).toEqual(['wolf', 'wolf', 'animal', 'forest', 'car']);
  expect(await answer(0)).toMatchObject({ edges: [], fallback: { code: 'Llm.Malformed' } });
  expect(await answer(1)).toMatchObject({
    edges: [],
    fallback: { code: 'Llm.Refused', message: expect.stringContaining('rather not') as string },
  });
  expect(await cachedAnswers(cache, settings, plan.nodes)).toHaveLength(2);
  // A later attempt counts them too.
  expect(await ask({ batch: 'again' })).toMatchObject({ fallbacks: 2 });
});

test.each<
  [string, Parameters<LlmServer['fault']>[0] extends never ? never : ReturnType<LlmServer['fault']>, string]
>([
  ['429', { status: 429, headers: { 'retry-after': '2' } }, 'Llm.RateLimit'],
  ['500', { status: 500 }, 'Llm.Unavailable'],
  ['401', { status: 401 }, 'Llm.Forbidden'],
  ['a page of HTML', { html: '<h1>Welcome</h1>' }, 'Llm.Protocol'],
  ['a lost connection', { cut: true }, 'Llm.Unavailable'],
])('%s ends the attempt, and the next one goes on after what is answered', async (_, fault, code) => {
  server.fault = ({ category, nth }) => (category === 'forest' && nth === 1 ? fault : undefined);
  await expect(ask()).rejects.toMatchObject({ code });
  expect(await ask({}, { attempt: 2 })).toMatchObject({ next: 4, fallbacks: 0 });
  expect(server.calls.map(({ category }) => category)).toEqual(['wolf', 'animal', 'forest', 'forest', 'car']);
});

test('a request that was lost counts as the most that it can have cost; one that was turned away as nothing', async () => {
  server.fault = ({ nth }) => (nth === 1 ? { status: 500 } : nth === 2 ? { cut: true } : undefined);
  await expect(ask({ to: 1 })).rejects.toMatchObject({ code: 'Llm.Unavailable' });
  expect(await spentOf(output)).toEqual({ input: 0, output: 0 });
  await expect(ask({ to: 1 }, { attempt: 2 })).rejects.toMatchObject({ code: 'Llm.Unavailable' });
  const { input, output: tokens } = await spentOf(output);
  expect(tokens).toBe(settings.maxOutputTokens);
  expect(input).toBeGreaterThan(100);
  // Of the batch, whatever the attempt.
  expect(await ask({ to: 1 }, { attempt: 3 })).toMatchObject({
    spent: { input: input + 100, output: tokens + 50 },
  });
});

test('no request is sent that could cost more than is allowed', async () => {
  const requestUsd = (3000 * prices.input + 300 * prices.output) / 1e6;
  expect(await ask({ allowance: { usd: requestUsd / 2, prices } })).toMatchObject({ next: 0 });
  expect(server.calls).toEqual([]);
  // The first request leaves less than a second one could take.
  expect(await ask({ allowance: { usd: requestUsd * 0.9, prices } })).toMatchObject({ next: 1 });
  expect(await ask({ batch: 'c', allowance: { usd: requestUsd * 10, prices } })).toMatchObject({ next: 4 });
  expect(server.calls).toHaveLength(4);
});

test('a told end is heeded between questions: the answer in hand is kept', async () => {
  const end = new AbortController();
  const report = ({ answered }: { answered: number }) => answered === 2 && end.abort();
  await expect(ask({}, { signal: end.signal, report })).rejects.toThrow(/abort/);
  expect(server.calls).toHaveLength(2);
  expect(await answer(1)).toMatchObject({ category: 'animal' });
});
