/** An OpenAI-compatible server on this machine that answers from a graph it knows, and fails as it is told to. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import type { GraphEdge } from '../../../data/graphFile.ts';

/** A request as the server understood it. */
export interface LlmCall {
  category: string;
  candidates: string[];
  /** Requests about this category so far, this one included. */
  nth: number;
  body: Record<string, unknown>;
  authorization: string | undefined;
}

/** What the server does instead of answering; `text` is an answer with that content. */
export type LlmFault =
  | { status: number; headers?: Record<string, string>; error?: Record<string, unknown> }
  | { text: string }
  | { refusal: string }
  | { hangMs: number }
  /** The connection ends in the middle of the response. */
  | { cut: true }
  | { html: string };

export interface LlmServer {
  readonly baseUrl: string;
  /** Every request for a completion, in order. */
  readonly calls: LlmCall[];
  /** What goes wrong with a call; undefined: nothing. */
  fault: (call: LlmCall) => LlmFault | undefined;
  /** How long an answer takes, in milliseconds. */
  delayMs: number;
  close(): Promise<void>;
}

/** @param known edges of which the server says those between a category and its candidates. */
export async function startLlmServer(known: readonly GraphEdge[]): Promise<LlmServer> {
  const calls: LlmCall[] = [];
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece as string;
    const body = JSON.parse(text) as LlmCall['body'];
    const { category, candidates } = questionIn(body);
    const nth = calls.filter((call) => call.category === category).length + 1;
    const call: LlmCall = { category, candidates, nth, body, authorization: request.headers.authorization };
    calls.push(call);
    const fault = llm.fault(call);
    const send = (status: number, value: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    const complete = (message: object): void =>
      send(200, {
        id: `completion-${calls.length}`,
        object: 'chat.completion',
        model: body['model'],
        choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', ...message } }],
        usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
      });
    if (fault === undefined) {
      if (llm.delayMs > 0) await sleep(llm.delayMs);
      complete({ content: JSON.stringify({ edges: edgesOf(category, candidates) }) });
    } else if ('text' in fault) complete({ content: fault.text });
    else if ('refusal' in fault) complete({ content: null, refusal: fault.refusal });
    else if ('html' in fault) response.writeHead(200, { 'content-type': 'text/html' }).end(fault.html);
    else if ('cut' in fault) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"choices": [');
      response.destroy();
    } else if ('hangMs' in fault) {
      await sleep(fault.hangMs, undefined, { ref: false });
      response.destroy();
    } else {
      const error = fault.error ?? { message: `status ${fault.status}` };
      send(fault.status, { error }, fault.headers);
    }
  }

  const edgesOf = (category: string, candidates: readonly string[]): GraphEdge[] =>
    known.filter(
      ({ source, target }) =>
        (source === category && candidates.includes(target)) ||
        (target === category && candidates.includes(source)),
    );

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const llm: LlmServer = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    fault: () => undefined,
    delayMs: 0,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return llm;
}

/** Calls per category. */
export const callsByCategory = ({ calls }: LlmServer): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { category } of calls) counts[category] = (counts[category] ?? 0) + 1;
  return counts;
};

/** The category and the candidates that a request asks about. */
function questionIn(body: Record<string, unknown>): { category: string; candidates: string[] } {
  const messages = body['messages'] as { role: string; content: string }[];
  const { content } = messages.find(({ role }) => role === 'user')!;
  const name = (line: string): string => JSON.parse(/"(?:[^"\\]|\\.)*"/.exec(line)![0]) as string;
  const [first, , ...lines] = content.split('\n');
  return { category: name(first!), candidates: lines.map(name) };
}
