/** What passes between commands, `evaluateModel` and its activities. */
import type { Interval } from '../../data/evaluation/metricsFile.ts';
import type { EvaluationSnapshot, Group, System } from '../../data/evaluation/systems.ts';

/** An evaluation, by its folder: everything else about it is in there. */
export interface EvaluateRun {
  /** Canonical URI of the run's folder. */
  output: string;
}

export interface EvaluateModelInput extends EvaluateRun {
  controls: {
    /** A worker that is silent for this long is taken for lost, in seconds. */
    heartbeatTimeoutS: number;
    /** Shards of images in work at once, over all workers. */
    concurrency: number;
  };
  /** What an execution tells the one that continues it as new; commands leave it out. */
  carried?: {
    /** Shards that are known to be scored, in the order of the plan. */
    shards: number;
    paused: string | null;
    concurrency: number;
  };
}

/** How an evaluation is cut up, decided when it is prepared. */
export interface EvaluatePlan {
  /** Images to test on, and those that the calibration is fitted on. */
  images: number;
  validationImages: number;
  /** Images of a shard. */
  shardSize: number;
  /** Ranges of categories whose figures one activity computes. */
  stripes: number;
}

/** What became of a shard. */
export interface ScoredShard {
  images: number;
  /** Images that could not be read or decoded. */
  failed: number;
  /** Whether it was scored before. */
  reused: boolean;
}

/** The figures that tables show; all of them are in `metrics.json`. */
export interface EvaluateResult {
  /** Images that the figures are of, and those that could not be read. */
  images: number;
  failed: number;
  /** Whether a calibration was fitted. */
  calibrated: boolean;
  /** By system, group and figure (mAP and F1@K), in percent. */
  systems: Partial<Record<System, Partial<Record<Group, Record<string, Interval>>>>>;
}

/** Activities of an evaluation that need only the object stores. On the `orchestrate` queue. */
export interface EvaluateStoreActivities {
  snapshotEvaluation(run: EvaluateRun): Promise<{ images: number; validationImages: number }>;
  /** Ends the evaluation where too many images failed, and fits the calibration on the validation images. */
  fitCalibration(run: EvaluateRun): Promise<void>;
  measureCategories(run: EvaluateRun & { stripe: number }): Promise<void>;
  finishEvaluation(run: EvaluateRun): Promise<EvaluateResult>;
}

/** Activities of an evaluation that run models. On the `gpu` queue. */
export interface EvaluateActivities {
  prepareEvaluation(run: EvaluateRun): Promise<EvaluatePlan>;
  scoreImages(run: EvaluateRun & { snapshot: EvaluationSnapshot; shard: number }): Promise<ScoredShard>;
}

export type EvaluateStage = 'snapshot' | 'prepare' | 'score' | 'calibrate' | 'measure' | 'finish' | 'done';

/** Answer to the progress query of `evaluateModel`. */
export interface EvaluateProgress {
  stage: EvaluateStage;
  /** Shards of images in work at once. */
  concurrency: number;
  /** Images of both snapshots, and those whose shards are scored; 0 until the plan is there. */
  images: number;
  imagesDone: number;
  shards: number;
  shardsDone: number;
  stripes: number;
  stripesDone: number;
  /** Of the shards scored in this execution; null before the first. */
  imagesPerSecond: number | null;
  /** Of scoring, at that rate. */
  etaSeconds: number | null;
  /** Why scoring waits; null where it does not. */
  paused: string | null;
}
