import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import type { Parameters } from '../../../model/train/parameters.ts';
import type { DataOrder } from '../../../model/train/dataOrder.ts';
import type { Validation } from '../../../workflows/train/trainTypes.ts';
import type { TrainerBatch, TrainerSetup } from '../dependencies.ts';
import type { FailedImage, FailedImages } from '../../../data/training/failedImages.ts';

/** A batch as the trainer takes it. */
export interface LoadedBatch {
  batch: TrainerBatch;
  images: number;
  failed: FailedImage[];
}

/** Which step of which shard a batch is for, counting from 0. */
export interface BatchPlace {
  step: number;
  shard: number;
}

/** A validation, with the images that are left out because they could not be read. */
export interface TaskValidation extends Omit<Validation, 'round'> {
  unread: FailedImages;
}

/** What a run trains, opened once per worker: everything that its shards have in common. */
export interface TrainingTask {
  /** Trainings of one key share a session. */
  key: string;
  setup: TrainerSetup;
  order: DataOrder;
  /** Steps of a shard in all, and in each round. */
  steps: number;
  localSteps: number;
  maxFailureRate: number;
  /** Learning rates of a step, by group of parameters. */
  rates(step: number): Record<string, number>;
  /** Rows [from, to) of the training snapshot. */
  rows(from: number, to: number): Promise<SnapshotRow[]>;
  /** `numbers` are the images' rows in the training snapshot. */
  load(
    numbers: Uint32Array,
    images: readonly SnapshotRow[],
    place: BatchPlace,
    signal: AbortSignal,
  ): Promise<LoadedBatch>;
  /** Validates parameters; `report` is told how many images are done. */
  validate(
    parameters: Parameters,
    report: (images: number) => void,
    signal: AbortSignal,
  ): Promise<TaskValidation>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}
