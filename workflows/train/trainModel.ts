import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { extractAll } from './features.ts';
import type { FeaturesActivities, FeaturesPiece, FeaturesStoreActivities } from './featuresTypes.ts';
import { runLanes } from '../lanes.ts';
import { accounting, inference, listing } from '../profiles.ts';
import { announcing } from '../control/announce.ts';
import { PAUSE_ASKED } from '../control/requests.ts';
import { takeRequests } from '../control/takeRequests.ts';
import { trainProgressQuery } from '../signals.ts';
import { bestOf, chosenRound, isExhausted, isValidationDue, stepsUntil } from './trainDecisions.ts';
import { noPace, paceOf } from './trainPace.ts';
import type {
  TrainActivities,
  TrainModelInput,
  TrainProgress,
  TrainResult,
  TrainStoreActivities,
} from './trainTypes.ts';

/**
 * Trains (or pre-trains: the run's record says which) a model: snapshot, prepare, features, rounds of shards, finish
 * (docs/training.md). The run's folder says what is done already, so an execution can be lost, terminated or started
 * again on another server at any point.
 */
export async function trainModel(input: TrainModelInput): Promise<TrainResult> {
  const { output, controls } = input;
  const { heartbeatTimeoutS } = controls;
  const reader = proxyActivities<TrainStoreActivities>(listing(heartbeatTimeoutS));
  const store = proxyActivities<TrainStoreActivities & FeaturesStoreActivities>(
    accounting(heartbeatTimeoutS),
  );
  const device = proxyActivities<TrainActivities & FeaturesActivities>(inference(heartbeatTimeoutS));
  const carried = input.carried ?? { pausing: false, concurrency: controls.concurrency };
  const handOver = () => workflowInfo().continueAsNewSuggested;

  const progress: TrainProgress = {
    ...NOTHING_DONE,
    pausing: carried.pausing,
    concurrency: carried.concurrency,
  };
  const pace = noPace();
  setHandler(trainProgressQuery, () => ({
    ...progress,
    ...paceOf(pace, progress.steps - progress.stepsDone),
  }));
  const { enter, wait } = announcing(progress);
  const beginPause = (): void => {
    if (progress.pausing) wait(PAUSE_ASKED);
    progress.pausing = false;
  };
  /** Pieces of features, or shards of the round, that workers have in hand. */
  let inHand = 0;
  takeRequests({
    isEnding: () => progress.stage === 'finish' || progress.stage === 'done',
    inHand: () => inHand,
    inForce: () => ({ concurrency: progress.concurrency, maxFailureRate: null }),
    pause() {
      if (progress.stage === 'features') wait(PAUSE_ASKED);
      else progress.pausing = progress.paused === null;
      return Promise.resolve({ isPaused: progress.paused !== null, inHand, child: null });
    },
    resume(asked) {
      const wasPaused = progress.paused ?? (progress.pausing ? PAUSE_ASKED : null);
      progress.concurrency = asked.concurrency ?? progress.concurrency;
      progress.pausing = false;
      wait(null);
      return Promise.resolve({ wasPaused, child: null });
    },
    set(asked) {
      progress.concurrency = asked.concurrency ?? progress.concurrency;
      return Promise.resolve();
    },
  });

  const { images } = await reader.snapshotDataset({ output });
  progress.images = images;
  enter('prepare');
  const { plan, artifacts, features } = await device.prepareTraining({ output });
  const { rounds, shards, patience } = plan;
  Object.assign(progress, {
    featureBytes: features.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    rounds,
    shards,
    steps: stepsUntil(rounds, plan),
  });
  enter('features');
  beginPause();

  const continueHere = async (left?: FeaturesPiece) => {
    await condition(allHandlersFinished);
    const pausing = progress.pausing || progress.paused !== null;
    const { concurrency } = progress;
    await continueAsNew<typeof trainModel>({
      ...input,
      carried: { pausing, concurrency, ...(left && { features: left }) },
    });
  };
  const left = await extractAll({
    artifacts,
    features,
    device,
    store,
    concurrency: () => (progress.paused === null ? progress.concurrency : 0),
    from: carried.features,
    handOver,
    report(pieces, piecesDone, atWork) {
      Object.assign(progress, { pieces, piecesDone });
      inHand = atWork;
    },
  });
  if (left) await continueHere(left);

  const state = await store.readTrainState({ output });
  const validations = [...state.validations];
  const noteValidations = (): void => {
    progress.startValidation = validations.find(({ round }) => round === 0) ?? null;
    progress.lastValidation = validations.at(-1) ?? null;
    progress.bestValidation = bestOf(validations);
  };
  const noteRound = (round: number, loss: number | null): void =>
    void Object.assign(progress, { round, loss, stepsDone: stepsUntil(round, plan) });
  noteRound(state.lastRound?.round ?? 0, state.lastRound?.loss ?? null);
  noteValidations();
  enter('train');

  const trainRound = (round: number) =>
    // One shard that cannot be trained ends the round: the others are not worth waiting for.
    CancellationScope.cancellable(async () => {
      const scope = CancellationScope.current();
      const waiting = Array.from({ length: shards }, (_, shard) => shard);
      const trainOne = async (): Promise<void> => {
        inHand++;
        const shard = waiting.shift()!;
        const done = await device.trainShard({ output, round, shard }).finally(() => inHand--);
        progress.roundSteps += done.steps;
        progress.roundImages += done.images;
      };
      await runLanes(shards, trainOne, () => scope.cancel());
    });

  const validate = async (round: number): Promise<void> => {
    if (!isValidationDue(round, plan) || validations.some((done) => done.round === round)) return;
    validations.push(await device.validateRound({ output, round }));
    noteValidations();
  };
  const sweep = (round: number) =>
    store.sweepRounds({ output, round, best: chosenRound(validations, round) });

  // An execution that was lost may have merged a round and not have validated it.
  await validate(progress.round);
  while (progress.round < rounds && !isExhausted(validations, patience)) {
    beginPause();
    await condition(() => progress.paused === null);
    if (handOver()) await continueHere();
    const round = progress.round + 1;
    const startedMs = Date.now();
    Object.assign(progress, { roundStartedMs: startedMs, roundSteps: 0, roundImages: 0 });
    try {
      await trainRound(round);
    } catch (error) {
      if (isDivergence(error))
        await device.keepCheckpoint({
          output,
          best: chosenRound(validations, progress.round),
          round: progress.round,
        });
      throw error;
    }
    const merged = await store.mergeRound({ output, round });
    const mergedMs = Date.now();
    Object.assign(progress, { roundStartedMs: null, roundSteps: 0, roundImages: 0 });
    noteRound(round, merged.loss);
    await validate(round);
    await sweep(round);
    pace.steps += stepsUntil(round, plan) - stepsUntil(round - 1, plan);
    pace.images += merged.images;
    pace.trainMs += mergedMs - startedMs;
    pace.totalMs += Date.now() - startedMs;
  }

  enter('finish');
  const { round } = progress;
  const result = await device.finishTraining({
    output,
    best: chosenRound(validations, round),
    round,
    stoppedEarly: round < rounds,
  });
  await condition(allHandlersFinished);
  enter('done');
  return result;
}

/** Whether a shard's loss was not a number. */
const isDivergence = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'Train.NotFinite';

const NOTHING_DONE: Omit<TrainProgress, 'concurrency'> = {
  stage: 'snapshot',
  images: 0,
  pieces: 0,
  piecesDone: 0,
  featureBytes: 0,
  rounds: 0,
  round: 0,
  shards: 0,
  steps: 0,
  stepsDone: 0,
  roundStartedMs: null,
  roundSteps: 0,
  roundImages: 0,
  loss: null,
  imagesPerSecond: null,
  etaSeconds: null,
  startValidation: null,
  lastValidation: null,
  bestValidation: null,
  pausing: false,
  paused: null,
};
