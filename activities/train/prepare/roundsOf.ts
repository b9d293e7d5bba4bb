/** How a data set is cut into rounds and steps. */
import type { TrainSettings } from '../../../data/config/trainSchema.ts';
import { readSnapshotIndex, type SnapshotIndex } from '../../../data/dataset/snapshot.ts';
import { Failure } from '../../../data/failure.ts';
import { snapshotFolder, SNAPSHOTS, type SnapshotName } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { stepsPerEpoch } from '../../../model/train/dataOrder.ts';
import type { TrainPlan } from '../../../workflows/train/trainTypes.ts';

/** Both snapshots. Throws `Run.Incomplete` where they are not there. */
export async function requireSnapshots(folder: ObjectStore): Promise<Record<SnapshotName, SnapshotIndex>> {
  const [train, validation] = await Promise.all(
    SNAPSHOTS.map((name) => readSnapshotIndex(folder, snapshotFolder(name))),
  );
  if (train && validation) return { train, validation };
  throw new Failure('Run.Incomplete', `${folder.uri} has no snapshot yet.`, { subject: folder.uri });
}

type RoundSettings = Pick<
  TrainSettings,
  'batchSize' | 'epochs' | 'seed' | 'shards' | 'localSteps' | 'validateEvery' | 'patience' | 'validationLimit'
>;

/** Rounds and steps that a data set of this size gives. */
export function roundsOf(
  settings: RoundSettings,
  { train, validation }: Record<SnapshotName, SnapshotIndex>,
): TrainPlan {
  const { batchSize, epochs, seed, shards, localSteps, validateEvery, patience, validationLimit } = settings;
  if (train.images < shards)
    throw new Failure('Dataset.TooSmall', `${train.images} images do not make ${shards} shards.`, {
      retryable: false,
      hint: 'Lower `shards` in the `train` section, or --shards.',
    });
  const steps = epochs * stepsPerEpoch({ images: train.images, shards, batchSize, seed });
  return {
    images: train.images,
    validationImages: Math.min(validation.images, validationLimit),
    shards,
    rounds: Math.ceil(steps / localSteps),
    steps,
    localSteps,
    batchSize,
    validateEvery,
    patience: patience ?? null,
  };
}
