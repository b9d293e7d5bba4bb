import {
  condition,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { GraphControls } from '../../data/graph/graphControls.ts';
import { addCounts, noCounts } from '../../data/run/counts.ts';
import { budgetExceeded } from './budget.ts';
import type { GraphPlanActivities } from '../graph/graphTypes.ts';
import { runLanes } from '../lanes.ts';
import { accounting, inference, listing } from '../profiles.ts';
import {
  PAUSE_ASKED,
  pauseShardsSignal,
  pauseSignal,
  progressQuery,
  resumeSignal,
  shardsDoneSignal,
} from '../signals.ts';
import { runStage } from '../retrain/stageChild.ts';
import { tagShards } from './tagShards.ts';
import type {
  CorpusActivities,
  TagActivities,
  TagCorpusInput,
  TagCorpusResult,
  TagProgress,
} from './tagTypes.ts';

/** Shards of one child workflow: keeps every history far below Temporal's limit on events. */
const SHARDS_PER_CHILD = 1000;

/** Children at work at once; each fills its window on its own. */
const CHILDREN = 4;

/**
 * Tags a corpus: plan, prepare, tag, finish (docs/run-folder.md). The run's folder says what is to be done and what is
 * done already, so an execution can be lost, terminated or started again on another server at any point.
 */
export async function tagCorpus({ output, controls }: TagCorpusInput): Promise<TagCorpusResult> {
  const { heartbeatTimeoutS } = controls;
  const lister = proxyActivities<CorpusActivities>(listing(heartbeatTimeoutS));
  const corpus = proxyActivities<CorpusActivities>(accounting(heartbeatTimeoutS));
  const tag = proxyActivities<TagActivities>(inference(heartbeatTimeoutS));
  let { maxFailureRate } = controls;

  const progress: TagProgress = {
    ...noCounts(),
    stage: 'plan',
    keys: 0,
    shards: 0,
    tagStartedMs: null,
    imagesBefore: 0,
    imagesPerSecond: null,
    etaSeconds: null,
    paused: null,
    children: [],
  };
  setHandler(progressQuery, () => ({ ...progress, ...pace(progress, Date.now()) }));

  const tellChildren = (pause: boolean): Promise<unknown> =>
    // A child that has just ended needs no telling.
    Promise.allSettled(
      progress.children.map((id) => getExternalWorkflowHandle(id).signal(pauseShardsSignal, pause)),
    );
  setHandler(resumeSignal, async (change) => {
    if (progress.paused === null && change.maxFailureRate === undefined) return;
    // Who goes on after too many failures, naming no limit, wants none.
    maxFailureRate = change.maxFailureRate ?? (progress.paused === PAUSE_ASKED ? maxFailureRate : 1);
    progress.paused = null;
    await tellChildren(false);
  });
  setHandler(pauseSignal, async () => {
    if (progress.paused !== null || progress.stage === 'finish' || progress.stage === 'done') return;
    progress.paused = PAUSE_ASKED;
    await tellChildren(true);
  });
  setHandler(shardsDoneSignal, async (counts) => {
    Object.assign(progress, addCounts(progress, counts));
    const reason = budgetExceeded(progress, maxFailureRate);
    // With nothing left to do there is nothing left to save.
    if (reason === null || progress.paused !== null || progress.images >= progress.keys) return;
    progress.paused = reason;
    await tellChildren(true);
  });

  const plan = await lister.planCorpus({ output });
  Object.assign(progress, { stage: 'prepare', keys: plan.keys, shards: plan.shards });
  if (controls.graph) await linkCategories(output, controls.graph);
  const artifact = await tag.prepareVocabulary({ output });

  const { done } = await corpus.findPendingShards({ output, from: 0, to: plan.shards });
  Object.assign(progress, done, { stage: 'tag', imagesBefore: done.images, tagStartedMs: Date.now() });
  const ranges = Array.from(
    { length: Math.ceil(plan.shards / SHARDS_PER_CHILD) },
    (_, i) => i * SHARDS_PER_CHILD,
  );
  const lanes = Math.min(CHILDREN, ranges.length);
  const window = Math.ceil(controls.concurrency / Math.max(1, lanes));
  const { workflowId: runId, runId: execution } = workflowInfo();
  const lane = async (): Promise<void> => {
    for (let from; (from = ranges.shift()) !== undefined;) {
      await condition(() => progress.paused === null);
      const to = Math.min(from + SHARDS_PER_CHILD, plan.shards);
      // Named by execution too: those of a terminated one may still be ending when its successor starts.
      const workflowId = `${runId}/${execution.slice(0, 8)}/shards-${from}`;
      const child = await startChild(tagShards, {
        workflowId,
        args: [{ output, from, to, artifact, window, heartbeatTimeoutS, paused: progress.paused !== null }],
        parentClosePolicy: ParentClosePolicy.TERMINATE,
      });
      progress.children.push(workflowId);
      await child.result();
      progress.children = progress.children.filter((id) => id !== workflowId);
    }
  };
  await runLanes(lanes, lane, () => (ranges.length = 0));

  progress.stage = 'finish';
  const result = await corpus.finishRun({ output, artifact });
  Object.assign(progress, result, { stage: 'done' });
  return result;
}

/** Has a language model link the categories that the model's own graph lacks, where the run asks for that. */
async function linkCategories(output: string, controls: GraphControls): Promise<void> {
  const planner = proxyActivities<GraphPlanActivities>(inference(controls.heartbeatTimeoutS));
  // One after another: the limits of requests are those of each.
  for (let next; (next = await planner.beginLinking({ output })) !== null;) {
    const run = next;
    await runStage({
      run,
      workflow: 'buildGraph',
      input: { output: run.uri, controls },
      attach: () => undefined,
      waitForOther: () => undefined,
      isFinished: async () => (await planner.beginLinking({ output }))?.id !== run.id,
    });
  }
}

/** Rate and time left of what is committed. */
function pace(progress: TagProgress, nowMs: number): Pick<TagProgress, 'imagesPerSecond' | 'etaSeconds'> {
  const { tagStartedMs, images, imagesBefore, keys } = progress;
  if (tagStartedMs === null || images <= imagesBefore || nowMs <= tagStartedMs)
    return { imagesPerSecond: null, etaSeconds: null };
  const imagesPerSecond = (1000 * (images - imagesBefore)) / (nowMs - tagStartedMs);
  return { imagesPerSecond, etaSeconds: (keys - images) / imagesPerSecond };
}
