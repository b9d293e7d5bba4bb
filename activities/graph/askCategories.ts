import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure } from '../../data/failure.ts';
import { answerKey, callOfKey } from '../../data/graph/graphLayout.ts';
import { readAnswerFile, type Answer, type GraphPlan } from '../../data/graph/graphPlan.ts';
import { costOf, type Tokens } from '../../data/graph/tokens.ts';
import type { GraphRecord } from '../../data/run/record.ts';
import { putJsonOnce } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import {
  answerSchema,
  mostTokens,
  questionAgain,
  questionOf,
  type Message,
} from '../../model/graph/prompt.ts';
import { readAnswer } from '../../model/graph/readAnswer.ts';
import type { AskInput, AskProgress, AskResult, LlmDialect } from '../../workflows/graph/graphTypes.ts';
import { cacheKey } from './answerCache.ts';
import { openLedger, type Ledger } from './ledger.ts';
import { classifyLlmError, mayHaveCost } from './llm/classify.ts';
import type { Llm, LlmAnswer } from './llm/client.ts';
import { dialectAfter, WHOLE_PROTOCOL } from './llm/dialect.ts';

export interface AskOptions {
  input: AskInput;
  output: ObjectStore;
  record: GraphRecord;
  plan: GraphPlan;
  /** Where answers outlive the run; undefined: nowhere. */
  cache: ObjectStore | undefined;
  llm: Llm;
  /** Of the activity's attempts, from 1. */
  attempt: number;
  signal: AbortSignal;
  report: (progress: AskProgress) => void;
}

/** Times that a question is asked: once more after an answer that cannot be read. */
const TRIES = 2;

/**
 * Asks a range of the plan's questions, one after the other, and puts each answer into the run's folder as it comes; those
 * that are there are not asked again. A question that the model refuses, or whose answers cannot be read, gets an answer
 * that says so. Ends early where the next request could cost more than is allowed.
 */
export async function askCategories(options: AskOptions): Promise<AskResult> {
  const { input, output, signal, report } = options;
  const { batch, from, to } = input;
  const ledger = await openLedger(output, batch);
  const known = await answeredCalls(output, from, to);
  const asker = new Asker(options, ledger);
  let fallbacks = 0;
  for (let call = from; call < to; call++) {
    signal.throwIfAborted();
    const answer = known.has(call) ? await readAnswerFile(output, answerKey(call)) : await asker.answer(call);
    if (answer === undefined) return { next: call, fallbacks, spent: ledger.spent, dialect: asker.dialect };
    fallbacks += Number(answer.fallback !== null);
    report({ answered: call + 1 - from });
  }
  return { next: to, fallbacks, spent: ledger.spent, dialect: asker.dialect };
}

/** The questions of a range that have an answer. */
async function answeredCalls(output: ObjectStore, from: number, to: number): Promise<Set<number>> {
  const found = new Set<number>();
  const prefix = commonPrefix(answerKey(from), answerKey(to - 1));
  for await (const { key } of output.list({ prefix })) {
    const call = callOfKey(key);
    if (call !== undefined && call >= from && call < to) found.add(call);
  }
  return found;
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

/** Asks questions of one batch. */
class Asker {
  dialect: LlmDialect;
  private readonly options: AskOptions;
  private readonly ledger: Ledger;
  private requests = 0;

  constructor(options: AskOptions, ledger: Ledger) {
    this.options = options;
    this.ledger = ledger;
    this.dialect = options.input.dialect ?? WHOLE_PROTOCOL;
  }

  /** The answer to a question, which is then in the run's folder; undefined where it could cost more than is allowed. */
  async answer(call: number): Promise<Answer | undefined> {
    const { plan, record, output, cache } = this.options;
    const { settings } = record.spec;
    const { category, candidates } = plan.calls[call]!;
    const [node, others] = [plan.nodes[category]!, candidates.map((i) => plan.nodes[i]!)];
    const asked = {
      category: node.name,
      candidates: others.map(({ name }) => name),
      relations: settings.relations,
    };
    const question = questionOf(node, others, settings.relations);
    let messages = question;
    let fallback: Answer['fallback'] = null;
    let read = { edges: [] as Answer['edges'], dropped: {}, repaired: false };
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      try {
        const reply = await this.request(messages, mostTokens(question, answerSchema(settings.relations)));
        if (reply === undefined) return undefined;
        if (reply.refusal !== null) throw new Failure('Llm.Refused', `The model refuses: ${reply.refusal}`);
        read = readAnswer(reply.text, asked);
        fallback = null;
        break;
      } catch (error) {
        if (!isFailure(error, 'Llm.Malformed') && !isFailure(error, 'Llm.Refused')) throw error;
        fallback = { code: error.code, message: error.message };
        if (error.code === 'Llm.Refused') break;
        messages = questionAgain(question, error.message);
      }
    }
    const { category: name, candidates: names } = asked;
    const answer: Answer = { category: name, candidates: names, ...read, fallback };
    const key = answerKey(call);
    const counts = await putJsonOnce(output, key, answer, () => readAnswerFile(output, key));
    // What the model did not say now it may say to the next run.
    if (cache && counts.fallback === null)
      await cache.put(cacheKey(settings, node, others), JSON.stringify(counts), {
        contentType: 'application/json',
      });
    return counts;
  }

  /** One request in the dialect that the endpoint understands; undefined where it could cost more than is allowed. */
  private async request(messages: readonly Message[], inputTokens: number): Promise<LlmAnswer | undefined> {
    const { llm, input, record, attempt } = this.options;
    const { llm: model, seed, maxOutputTokens, relations } = record.spec.settings;
    const most: Tokens = { input: inputTokens, output: maxOutputTokens };
    for (;;) {
      if (!this.isAllowed(most)) return undefined;
      const settle = await this.ledger.reserve(`${attempt}-${this.requests++}`, most);
      const startedMs = performance.now();
      let taken = most;
      try {
        const reply = await llm.ask({
          ...{ model: model!, messages, schema: answerSchema(relations), seed, maxOutputTokens },
          dialect: this.dialect,
        });
        taken = reply.tokens ?? {
          input: inputTokens,
          output: Math.min(maxOutputTokens, Buffer.byteLength(reply.text)),
        };
        return reply;
      } catch (error) {
        if (isFailure(error)) throw error;
        if (!mayHaveCost(error)) taken = { input: 0, output: 0 };
        const simpler = dialectAfter(error, this.dialect);
        if (simpler === undefined) throw classifyLlmError(error, llm.names(model!));
        this.dialect = simpler;
      } finally {
        await settle(taken);
        const { requestMs, tokenMs } = input.pace;
        const dueMs = startedMs + Math.max(requestMs, tokenMs * (taken.input + taken.output));
        await this.pause(dueMs - performance.now());
      }
    }
  }

  private isAllowed(most: Tokens): boolean {
    const { allowance } = this.options.input;
    const { spent } = this.ledger;
    if (allowance === null) return true;
    const after = { input: spent.input + most.input, output: spent.output + most.output };
    // The sum of what is allowed and of what is spent are rounded differently.
    return costOf(after, allowance.prices) <= allowance.usd + 1e-9;
  }

  /** Waits, unless the activity is told to end: what is next then begins on another worker, later. */
  private async pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.options.signal }).catch(() => undefined);
  }
}
