import { allHandlersFinished, condition, proxyActivities, setHandler } from '@temporalio/workflow';
import { addCounts, noCounts, type Counts } from '../../data/run/counts.ts';
import { LAST_FAILURES, withExample, withFailure } from '../../data/run/atWork/failureSample.ts';
import { addTimes, noTimes } from '../../data/run/atWork/phases.ts';
import { announcing } from '../control/announce.ts';
import { withMark, type Mark } from '../control/recentRate.ts';
import { changeOf, PAUSE_ASKED, pauseSignal, resumeSignal } from '../control/requests.ts';
import { StageHandle } from '../control/stageHandle.ts';
import { takeRequests } from '../control/takeRequests.ts';
import { accounting, inference, listing } from '../profiles.ts';
import { progressQuery, shardsReportSignal } from '../signals.ts';
import { budgetExceeded } from './budget.ts';
import { linkCategories } from './linkCategories.ts';
import { ShardChildren } from './shardChildren.ts';
import type {
  CorpusActivities,
  TagActivities,
  TagCorpusInput,
  TagCorpusResult,
  TagProgress,
} from './tagTypes.ts';

/**
 * Tags a corpus: plan, prepare, tag, finish (docs/run-folder.md). The run's folder says what is to be done and what is
 * done already, so an execution can be lost, terminated or started again on another server at any point.
 */
export async function tagCorpus({ output, controls }: TagCorpusInput): Promise<TagCorpusResult> {
  const { heartbeatTimeoutS, concurrency, maxFailureRate } = controls;
  const lister = proxyActivities<CorpusActivities>(listing(heartbeatTimeoutS));
  const corpus = proxyActivities<CorpusActivities>(accounting(heartbeatTimeoutS));
  const tag = proxyActivities<TagActivities>(inference(heartbeatTimeoutS));

  const progress: TagProgress = { ...NOTHING_DONE, ...noCounts(), concurrency, maxFailureRate };
  /** What was done by when, from the last time that the run went on: nothing was in hand then. */
  let marks: Mark[] = [];
  let startedMs = 0;
  /** The limit that a pause was for. */
  let exceeded: number | null = null;
  const children = new ShardChildren(() => (progress.paused === null ? progress.concurrency : 0));
  const linking = new StageHandle();
  setHandler(progressQuery, () => ({
    ...progress,
    children: children.ids,
    inHand: children.inHand,
    child: linking.child,
    recent: marks[0] ? { ...marks[0], isStart: marks[0].ms === startedMs } : null,
  }));

  const { enter, wait } = announcing(progress);
  const startClock = (): void => {
    startedMs = Date.now();
    marks = [{ ms: startedMs, images: progress.images }];
  };
  /** Waits for `reason`, or with null for nothing, and sees that this holds. */
  const hold = async (reason: string | null): Promise<void> => {
    if (reason === null && progress.paused !== null && progress.stage === 'tag') startClock();
    wait(reason);
    await children.tell();
    await children.heard();
  };
  /** Has the run wait where its failures are beyond the budget; with nothing left to do there is nothing left to save. */
  const keepBudget = async (): Promise<void> => {
    const reason = budgetExceeded(progress, progress.maxFailureRate);
    if (reason === null || progress.paused !== null || progress.images >= progress.keys) return;
    exceeded = progress.maxFailureRate;
    await hold(reason);
  };
  takeRequests({
    isEnding: () => progress.stage === 'finish' || progress.stage === 'done',
    inHand: () => children.inHand,
    inForce: () => ({ concurrency: progress.concurrency, maxFailureRate: progress.maxFailureRate }),
    async pause(asked) {
      await linking.tell(pauseSignal, asked);
      await hold(progress.paused ?? PAUSE_ASKED);
      return { isPaused: true, inHand: children.inHand, child: linking.child };
    },
    async resume(asked) {
      const wasPaused = progress.paused;
      Object.assign(progress, changeOf(asked));
      // Who goes on after too many failures, naming no limit, wants none.
      if (exceeded !== null && exceeded === progress.maxFailureRate && asked.maxFailureRate === undefined)
        progress.maxFailureRate = 1;
      exceeded = null;
      await linking.tell(resumeSignal, asked);
      await hold(null);
      return { wasPaused, child: linking.child };
    },
    async set(asked) {
      Object.assign(progress, changeOf(asked));
      await children.tell();
      await children.heard();
      await keepBudget();
    },
  });
  setHandler(shardsReportSignal, async (report) => {
    children.note(report);
    const { done, shards } = report;
    if (shards === 0) return;
    Object.assign(progress, addCounts(progress, done), {
      phasesMs: addTimes(progress.phasesMs, done.phasesMs),
      lastFailures: done.failures.reduce(
        (sample, failed) => withFailure(sample, failed, LAST_FAILURES),
        progress.lastFailures,
      ),
      examples: done.failures.reduce(withExample, progress.examples),
    });
    marks = withMark(marks, { ms: Date.now(), images: progress.images });
    await keepBudget();
  });

  enter('plan');
  const plan = await lister.planCorpus({ output });
  Object.assign(progress, { keys: plan.keys, shards: plan.shards });
  enter('prepare');
  if (controls.graph) await linkCategories(output, controls.graph, linking, () => progress.paused !== null);
  const artifact = await tag.prepareVocabulary({ output });

  const { done } = await corpus.findPendingShards({ output, from: 0, to: plan.shards });
  Object.assign(progress, done);
  startClock();
  enter('tag');
  await children.tag(plan.shards, { output, artifact, heartbeatTimeoutS });

  enter('finish');
  const result = await corpus.finishRun({ output, artifact });
  Object.assign(progress, result);
  await condition(allHandlersFinished);
  enter('done');
  return result;
}

const NOTHING_DONE: Omit<TagProgress, keyof Counts | 'concurrency' | 'maxFailureRate'> = {
  stage: 'plan',
  keys: 0,
  shards: 0,
  recent: null,
  phasesMs: noTimes(),
  lastFailures: [],
  examples: {},
  inHand: 0,
  child: null,
  paused: null,
  children: [],
};
