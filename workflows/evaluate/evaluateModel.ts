import { condition, continueAsNew, proxyActivities, setHandler, workflowInfo } from '@temporalio/workflow';
import type {
  EvaluateActivities,
  EvaluateModelInput,
  EvaluateProgress,
  EvaluateResult,
  EvaluateStoreActivities,
} from './evaluateTypes.ts';
import { runLanes } from '../lanes.ts';
import { accounting, inference, listing } from '../profiles.ts';
import { evaluateProgressQuery, PAUSE_ASKED, pauseSignal, resumeSignal } from '../signals.ts';

/** Ranges of categories in work at once: each takes a core and holds a block of scores. */
const STRIPES_AT_ONCE = 2;

/**
 * Evaluates a model (docs/evaluation.md): snapshots of the images, shards of scores, the calibration, figures by ranges of
 * categories, the whole. The run's folder says what is done already, so an execution can be lost, terminated or started
 * again on another server at any point.
 */
export async function evaluateModel(input: EvaluateModelInput): Promise<EvaluateResult> {
  const { output, controls } = input;
  const { heartbeatTimeoutS } = controls;
  const reader = proxyActivities<EvaluateStoreActivities>(listing(heartbeatTimeoutS));
  const store = proxyActivities<EvaluateStoreActivities>(accounting(heartbeatTimeoutS));
  const device = proxyActivities<EvaluateActivities>(inference(heartbeatTimeoutS));
  const carried = input.carried ?? { shards: 0, paused: null };
  const handOver = () => workflowInfo().continueAsNewSuggested;

  const progress: EvaluateProgress = { ...NOTHING_DONE, paused: carried.paused };
  const scoring = { startedMs: 0, images: 0 };
  setHandler(evaluateProgressQuery, () => ({
    ...progress,
    ...paceOf(scoring, progress.images - progress.imagesDone),
  }));
  setHandler(pauseSignal, () => {
    if (['snapshot', 'prepare', 'score'].includes(progress.stage)) progress.paused = PAUSE_ASKED;
  });
  setHandler(resumeSignal, () => void (progress.paused = null));

  const { images, validationImages } = await reader.snapshotEvaluation({ output });
  progress.stage = 'prepare';
  const { shardSize, stripes } = await device.prepareEvaluation({ output });
  const shardsOf = (snapshot: 'test' | 'validation', count: number) =>
    Array.from({ length: Math.ceil(count / shardSize) }, (_, shard) => ({
      snapshot,
      shard,
      images: Math.min(shardSize, count - shard * shardSize),
    }));
  const shards = [...shardsOf('validation', validationImages), ...shardsOf('test', images)];
  Object.assign(progress, {
    stage: 'score',
    images: images + validationImages,
    imagesDone: shards.slice(0, carried.shards).reduce((sum, shard) => sum + shard.images, 0),
    shards: shards.length,
    shardsDone: carried.shards,
    stripes,
  });

  let next = carried.shards;
  scoring.startedMs = Date.now();
  const score = async (): Promise<void> => {
    for (;;) {
      await condition(() => progress.paused === null || next >= shards.length);
      if (next >= shards.length || handOver()) return;
      const { snapshot, shard } = shards[next++]!;
      const done = await device.scoreImages({ output, snapshot, shard });
      progress.shardsDone++;
      progress.imagesDone += done.images + done.failed;
      if (!done.reused) scoring.images += done.images + done.failed;
    }
  };
  await runLanes(Math.min(controls.concurrency, shards.length - next), score, () => (next = shards.length));
  if (progress.shardsDone < shards.length)
    await continueAsNew<typeof evaluateModel>({
      ...input,
      carried: { shards: progress.shardsDone, paused: progress.paused },
    });

  progress.stage = 'calibrate';
  await store.fitCalibration({ output });
  progress.stage = 'measure';
  let stripe = 0;
  const measure = async (): Promise<void> => {
    while (stripe < stripes) {
      await store.measureCategories({ output, stripe: stripe++ });
      progress.stripesDone++;
    }
  };
  await runLanes(Math.min(STRIPES_AT_ONCE, stripes), measure, () => (stripe = stripes));

  progress.stage = 'finish';
  const result = await store.finishEvaluation({ output });
  progress.stage = 'done';
  return result;
}

function paceOf(
  { startedMs, images }: { startedMs: number; images: number },
  left: number,
): Pick<EvaluateProgress, 'imagesPerSecond' | 'etaSeconds'> {
  const seconds = (Date.now() - startedMs) / 1000;
  if (images === 0 || seconds <= 0) return { imagesPerSecond: null, etaSeconds: null };
  return { imagesPerSecond: images / seconds, etaSeconds: (left * seconds) / images };
}

const NOTHING_DONE: EvaluateProgress = {
  stage: 'snapshot',
  images: 0,
  imagesDone: 0,
  shards: 0,
  shardsDone: 0,
  stripes: 0,
  stripesDone: 0,
  imagesPerSecond: null,
  etaSeconds: null,
  paused: null,
};
