import {
  allHandlersFinished,
  condition,
  continueAsNew,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  EvaluateActivities,
  EvaluateModelInput,
  EvaluateProgress,
  EvaluateResult,
  EvaluateStoreActivities,
} from './evaluateTypes.ts';
import { announcing } from '../control/announce.ts';
import { PAUSE_ASKED } from '../control/requests.ts';
import { takeRequests } from '../control/takeRequests.ts';
import { runLanes, runPieces } from '../lanes.ts';
import { accounting, inference, listing } from '../profiles.ts';
import { evaluateProgressQuery } from '../signals.ts';

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
  const carried = input.carried ?? { shards: 0, paused: null, concurrency: controls.concurrency };
  const handOver = () => workflowInfo().continueAsNewSuggested;

  const progress: EvaluateProgress = {
    ...NOTHING_DONE,
    paused: carried.paused,
    concurrency: carried.concurrency,
  };
  const scoring = { startedMs: 0, images: 0 };
  setHandler(evaluateProgressQuery, () => ({
    ...progress,
    ...paceOf(scoring, progress.images - progress.imagesDone),
  }));
  const { enter, wait } = announcing(progress);
  let inHand = 0;
  takeRequests({
    isEnding: () => !['snapshot', 'prepare', 'score'].includes(progress.stage),
    inHand: () => inHand,
    inForce: () => ({ concurrency: progress.concurrency, maxFailureRate: null }),
    pause() {
      wait(PAUSE_ASKED);
      return Promise.resolve({ isPaused: true, inHand, child: null });
    },
    resume(asked) {
      const wasPaused = progress.paused;
      progress.concurrency = asked.concurrency ?? progress.concurrency;
      wait(null);
      return Promise.resolve({ wasPaused, child: null });
    },
    set(asked) {
      progress.concurrency = asked.concurrency ?? progress.concurrency;
      return Promise.resolve();
    },
  });

  const { images, validationImages } = await reader.snapshotEvaluation({ output });
  enter('prepare');
  const { shardSize, stripes } = await device.prepareEvaluation({ output });
  const shardsOf = (snapshot: 'test' | 'validation', count: number) =>
    Array.from({ length: Math.ceil(count / shardSize) }, (_, shard) => ({
      snapshot,
      shard,
      images: Math.min(shardSize, count - shard * shardSize),
    }));
  const shards = [...shardsOf('validation', validationImages), ...shardsOf('test', images)];
  Object.assign(progress, {
    images: images + validationImages,
    imagesDone: shards.slice(0, carried.shards).reduce((sum, shard) => sum + shard.images, 0),
    shards: shards.length,
    shardsDone: carried.shards,
    stripes,
  });

  enter('score');
  let next = carried.shards;
  scoring.startedMs = Date.now();
  await runPieces({
    isLeft: () => next < shards.length && !handOver(),
    isOpen: () => progress.paused === null && inHand < progress.concurrency,
    async work() {
      const { snapshot, shard } = shards[next++]!;
      inHand++;
      const done = await device.scoreImages({ output, snapshot, shard }).finally(() => inHand--);
      progress.shardsDone++;
      progress.imagesDone += done.images + done.failed;
      if (!done.reused) scoring.images += done.images + done.failed;
    },
  });
  if (progress.shardsDone < shards.length) {
    await condition(allHandlersFinished);
    const { shardsDone, paused, concurrency } = progress;
    await continueAsNew<typeof evaluateModel>({
      ...input,
      carried: { shards: shardsDone, paused, concurrency },
    });
  }

  enter('calibrate');
  await store.fitCalibration({ output });
  enter('measure');
  let stripe = 0;
  const measure = async (): Promise<void> => {
    while (stripe < stripes) {
      await store.measureCategories({ output, stripe: stripe++ });
      progress.stripesDone++;
    }
  };
  await runLanes(Math.min(STRIPES_AT_ONCE, stripes), measure, () => (stripe = stripes));

  enter('finish');
  const result = await store.finishEvaluation({ output });
  await condition(allHandlersFinished);
  enter('done');
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

const NOTHING_DONE: Omit<EvaluateProgress, 'concurrency'> = {
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
