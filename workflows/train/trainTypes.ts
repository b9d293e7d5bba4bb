/** What passes between commands, `trainModel` and its activities. */

import type { FeaturesPiece, SnapshotFeatures } from './featuresTypes.ts';

/** A training run, by its folder: everything else about it is in there. */
export interface TrainRun {
  /** Canonical URI of the run's folder, which becomes the model's. */
  output: string;
}

export interface TrainModelInput extends TrainRun {
  controls: {
    /** A worker that is silent for this long is taken for lost, in seconds. */
    heartbeatTimeoutS: number;
    /** Pieces of features in work at once, over all workers. */
    concurrency: number;
  };
  /** What an execution tells the one that continues it as new; commands leave it out. */
  carried?: {
    /** The first piece of features that may not be there. */
    features?: FeaturesPiece;
    /** A pause was asked for. */
    pausing: boolean;
    concurrency: number;
  };
}

/** How a training is cut up, decided when it is prepared. */
export interface TrainPlan {
  /** Images that are trained on, and held back for validation; with none of these, no round is validated. */
  images: number;
  validationImages: number;
  shards: number;
  rounds: number;
  /** Steps of each shard, in all rounds together; every round has `localSteps`, the last what is left. */
  steps: number;
  localSteps: number;
  batchSize: number;
  validateEvery: number;
  patience: number | null;
}

/** A training that is prepared. */
export interface PreparedTraining {
  plan: TrainPlan;
  /** URI of the folder that has its features. */
  artifacts: string;
  /** Features to be extracted first; none where they are computed as they are needed. */
  features: SnapshotFeatures[];
}

/** What a shard did in a round. */
export interface ShardResult {
  steps: number;
  images: number;
  /** Images that could not be read or decoded. */
  failed: number;
  /** Means over the round's steps. */
  loss: number;
  seconds: number;
}

/** A validation of a round's merged parameters; figures in percent. */
export interface Validation {
  round: number;
  images: number;
  /** What rounds are compared by: higher is better. */
  score: number;
  /** By group of categories (`seen`, `unseen`, `all`): mAP and F1@K. */
  metrics: Record<string, Record<string, number>>;
}

/** A merged round. */
export interface RoundResult {
  round: number;
  loss: number;
  images: number;
  seconds: number;
}

/** Where a training is, read from its folder. */
export interface TrainState {
  /** The last merged round; null before the first. */
  lastRound: RoundResult | null;
  /** In the order of rounds; only the first, the last and the best one have `metrics`. */
  validations: Validation[];
}

export interface TrainResult {
  rounds: number;
  /** Whether training ended before its last round because validation no longer improved. */
  stoppedEarly: boolean;
  /** The round whose parameters the model has. */
  bestRound: number;
  /** Of the starting model (round 0) and of the best round; null where nothing was held back. */
  start: Validation | null;
  best: Validation | null;
  loss: number;
  images: number;
  /** How often an image that was trained on could not be read, by code; epochs count. */
  failed: Record<string, number>;
}

/** Activities of a training that need only the object stores. On the `orchestrate` queue. */
export interface TrainStoreActivities {
  snapshotDataset(run: TrainRun): Promise<{ images: number; validationImages: number }>;
  readTrainState(run: TrainRun): Promise<TrainState>;
  mergeRound(run: TrainRun & { round: number }): Promise<RoundResult>;
  /**
   * Deletes the parameters and optimiser states of rounds before `round`, except the merged parameters of `best` (0: the
   * starting model's). Receipts stay: they are what tells a training's course.
   */
  sweepRounds(run: TrainRun & { round: number; best: number }): Promise<void>;
}

/** Activities of a training that run the model. On the `gpu` queue. */
export interface TrainActivities {
  prepareTraining(run: TrainRun): Promise<PreparedTraining>;
  trainShard(run: TrainRun & { round: number; shard: number }): Promise<ShardResult>;
  validateRound(run: TrainRun & { round: number }): Promise<Validation>;
  /** Writes what {@link finishTraining} would into a folder of its own, for a training that cannot go on. */
  keepCheckpoint(run: TrainRun & { best: number; round: number }): Promise<void>;
  /** Writes the model folder with the parameters of round `best`; `round` is the last one. */
  finishTraining(
    run: TrainRun & { best: number; round: number; stoppedEarly: boolean },
  ): Promise<TrainResult>;
}

/** Heartbeat of a shard at work. */
export interface TrainShardProgress {
  round: number;
  shard: number;
  step: number;
  images: number;
  loss: number | null;
}

export type TrainStage = 'snapshot' | 'prepare' | 'features' | 'train' | 'finish' | 'done';

/** Answer to the progress query of `trainModel`. */
export interface TrainProgress {
  stage: TrainStage;
  /** Pieces of features in work at once. */
  concurrency: number;
  /** Images that are trained on; 0 until the snapshot is there. */
  images: number;
  /** Pieces of features to extract, in all and done. */
  pieces: number;
  piecesDone: number;
  /** Bytes of all features that are kept. */
  featureBytes: number;
  /** Rounds in all, and merged. */
  rounds: number;
  round: number;
  shards: number;
  /** Steps of all shards and rounds together, and those of merged rounds. */
  steps: number;
  stepsDone: number;
  /** When the round at work began, ms since 1970, null between rounds; and what of it shards have ended. */
  roundStartedMs: number | null;
  roundSteps: number;
  roundImages: number;
  /** Of the last merged round; null before the first. */
  loss: number | null;
  /** Over the rounds merged in this execution; null before the first. */
  imagesPerSecond: number | null;
  /** At the pace of those rounds, their validations included. */
  etaSeconds: number | null;
  /** Of the starting model, the last and the best; null before the first. */
  startValidation: Validation | null;
  lastValidation: Validation | null;
  bestValidation: Validation | null;
  /** Whether a pause was asked for, which begins at the end of the round. */
  pausing: boolean;
  /** Why training waits at a round's boundary; null where it does not. */
  paused: string | null;
}
