import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  proxyActivities,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { costOf, type Tokens } from '../../data/graph/tokens.ts';
import type {
  BuildGraphInput,
  GraphLlmActivities,
  GraphPlanActivities,
  GraphProgress,
  GraphResult,
  GraphStoreActivities,
} from './graphTypes.ts';
import { runLanes } from '../lanes.ts';
import { accounting, asking, inference } from '../profiles.ts';
import { announcing } from '../control/announce.ts';
import { PAUSE_ASKED } from '../control/requests.ts';
import { takeRequests } from '../control/takeRequests.ts';
import { graphProgressQuery } from '../signals.ts';

/** A question is asked a second time where its first answer cannot be read. */
const REQUESTS_PER_CALL = 2;

/**
 * Builds a category graph: plan, ask, finish (docs/graph.md). The run's folder has every answer, so an execution can be
 * lost, terminated or started again on another server at any point.
 */
export async function buildGraph(input: BuildGraphInput): Promise<GraphResult> {
  const { output, controls } = input;
  const { heartbeatTimeoutS, prices, maxCostUsd } = controls;
  const planner = proxyActivities<GraphPlanActivities>(inference(heartbeatTimeoutS));
  const asker = proxyActivities<GraphLlmActivities>(asking(heartbeatTimeoutS));
  const store = proxyActivities<GraphStoreActivities>(accounting(heartbeatTimeoutS));
  let dialect = input.carried?.dialect ?? null;

  const progress: Omit<GraphProgress, 'costUsd' | 'etaSeconds'> = {
    stage: 'plan',
    categories: 0,
    calls: 0,
    callsDone: 0,
    cached: 0,
    fallbacks: 0,
    spent: { input: 0, output: 0 },
    paused: input.carried?.paused ?? null,
  };
  let inHand = 0;
  const start = { ms: 0, callsDone: 0 };
  setHandler(graphProgressQuery, () => ({
    ...progress,
    costUsd: costOf(progress.spent, prices),
    etaSeconds: secondsLeft(progress, start, Date.now()),
  }));
  const { enter, wait } = announcing(progress);
  takeRequests({
    isEnding: () => progress.stage === 'finish' || progress.stage === 'done',
    inHand: () => inHand,
    inForce: () => ({ concurrency: null, maxFailureRate: null }),
    pause() {
      wait(PAUSE_ASKED);
      return Promise.resolve({ isPaused: true, inHand, child: null });
    },
    resume() {
      const wasPaused = progress.paused;
      wait(null);
      return Promise.resolve({ wasPaused, child: null });
    },
    set: () => Promise.resolve(),
  });

  const { categories, calls, cached, mostTokens } = await planner.planGraph({ output });
  const { pending, fallbacks, spent } = await store.readGraphState({ output });
  const count = pending.reduce((sum, { from, to }) => sum + to - from, 0);
  Object.assign(progress, {
    categories,
    calls,
    callsDone: calls - count,
    cached,
    fallbacks,
    spent,
  });
  enter('ask');
  Object.assign(start, { ms: Date.now(), callsDone: progress.callsDone });

  const waiting = pending.flatMap(({ from, to }) => batches(from, to, controls.batch));
  const lanes = Math.min(controls.concurrency, waiting.length);
  // Each lane keeps to its share of the limits, so that together they keep to them on any number of workers.
  const pace = {
    requestMs: (60_000 * lanes) / (controls.requestsPerMinute ?? Infinity),
    tokenMs: (60_000 * lanes) / (controls.tokensPerMinute ?? Infinity),
  };
  const requestUsd = toNanoUsd(costOf(mostTokens, prices));
  let reservedUsd = 0;
  const leftUsd = (): number =>
    maxCostUsd === null ? Infinity : toNanoUsd(maxCostUsd - costOf(progress.spent, prices) - reservedUsd);

  /** The next questions that may be asked now; undefined where none are left. */
  const take = async (): Promise<{ from: number; to: number } | undefined> => {
    const isAffordable = (): boolean => leftUsd() >= requestUsd;
    for (;;) {
      await condition(
        () => waiting.length === 0 || (progress.paused === null && (isAffordable() || inHand === 0)),
      );
      if (waiting.length === 0 || isAffordable()) return waiting.shift();
      // Another lane may have taken what was left; what it does not spend comes back.
      if (inHand === 0)
        throw ceilingReached(progress, requestUsd, maxCostUsd!, costOf(progress.spent, prices));
    }
  };
  const lane = async (): Promise<void> => {
    while (!workflowInfo().continueAsNewSuggested) {
      const range = await take();
      if (!range) return;
      const affordable = Math.max(1, Math.floor(leftUsd() / (REQUESTS_PER_CALL * requestUsd)));
      const to = Math.min(range.to, range.from + affordable);
      if (to < range.to) waiting.unshift({ from: to, to: range.to });
      const usd = Math.min(leftUsd(), (to - range.from) * REQUESTS_PER_CALL * requestUsd);
      const allowance = maxCostUsd === null ? null : { usd, prices };
      inHand++;
      reservedUsd += allowance?.usd ?? 0;
      try {
        const done = await asker.askCategories({
          ...{ output, batch: uuid4(), from: range.from, to, allowance, pace, dialect },
        });
        ({ dialect } = done);
        progress.callsDone += done.next - range.from;
        progress.fallbacks += done.fallbacks;
        progress.spent = add(progress.spent, done.spent);
        if (done.next < to) waiting.unshift({ from: done.next, to });
      } finally {
        inHand--;
        reservedUsd -= allowance?.usd ?? 0;
      }
    }
  };
  await runLanes(lanes, lane, () => (waiting.length = 0));
  if (waiting.length > 0) {
    await condition(allHandlersFinished);
    const { paused } = progress;
    await continueAsNew<typeof buildGraph>({ output, controls, carried: { dialect, paused } });
  }

  enter('finish');
  const result = await store.finishGraph({ output, prices });
  await condition(allHandlersFinished);
  enter('done');
  return result;
}

/** Sums of dollars without the noise of their last bits: what is left must not be short of a request by that. */
const toNanoUsd = (usd: number): number => Math.round(usd * 1e9) / 1e9;

const batches = (from: number, to: number, size: number): { from: number; to: number }[] =>
  Array.from({ length: Math.ceil((to - from) / size) }, (_, i) => ({
    from: from + i * size,
    to: Math.min(to, from + (i + 1) * size),
  }));

const add = (a: Tokens, b: Tokens): Tokens => ({ input: a.input + b.input, output: a.output + b.output });

function secondsLeft(
  { calls, callsDone, stage }: Pick<GraphProgress, 'calls' | 'callsDone' | 'stage'>,
  start: { ms: number; callsDone: number },
  nowMs: number,
): number | null {
  const done = callsDone - start.callsDone;
  return stage !== 'ask' || done === 0 ? null : ((nowMs - start.ms) / 1000 / done) * (calls - callsDone);
}

function ceilingReached(
  { calls, callsDone }: Pick<GraphProgress, 'calls' | 'callsDone'>,
  requestUsd: number,
  maxCostUsd: number,
  spentUsd: number,
): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Llm.Budget',
    nonRetryable: true,
    message: `The next question may cost $${requestUsd.toFixed(4)}, and $${spentUsd.toFixed(4)} of at most $${maxCostUsd} are spent: ${callsDone} of ${calls} questions are answered.`,
    details: [
      { hint: 'The answers stay: `c2srt resume` with a higher --llm-max-cost-usd goes on from there.' },
    ],
  });
}
