import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import type { SnapshotName } from '../../../data/training/trainLayout.ts';
import type { Parameters } from '../../../model/train/parameters.ts';
import type { DataOrder } from '../../../model/train/dataOrder.ts';
import type { Validation } from '../../../workflows/trainTypes.ts';
import type { TrainerBatch, TrainerSetup } from '../dependencies.ts';
import type { PieceOptions } from '../features/extractFeatures.ts';
import type { FailedImage } from '../features/imageLoader.ts';

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
  ): Promise<Omit<Validation, 'round'>>;
  /** How activations of a snapshot are made and cut into pieces; absent where there are none to keep. */
  features?(
    snapshot: SnapshotName,
  ): Promise<Pick<PieceOptions, 'snapshot' | 'images' | 'pieceImages' | 'shape' | 'source'>>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}
