import { createHash } from 'node:crypto';
import type { Snapshots } from '../../../data/dataset/snapshot.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { featuresIndexKey, SNAPSHOTS } from '../../../data/training/trainLayout.ts';
import type { TrainPlaces } from '../../../data/training/trainPlaces.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { activationBytes, activationShape } from '../../../model/ranking/activations.ts';
import type { FeaturesSettings, SnapshotFeatures } from '../../../workflows/train/featuresTypes.ts';
import { requireSnapshots } from '../prepare/roundsOf.ts';
import { putFeaturesRequest } from './featuresRequest.ts';

/** Changes whenever the meaning of kept features does. */
const FEATURES_VERSION = 1;

/** About the size of a piece of features, and the most images in one. */
const PIECE_BYTES = 256 * 2 ** 20;
const PIECE_IMAGES = 1024;

/** As they are prepared, whether or not they are there yet. */
export type KeptFeatures = Omit<SnapshotFeatures, 'extracted'>;

export interface FeaturesOptions {
  places: TrainPlaces;
  model: { uri: string; hash: string; folder: ModelFolder };
  settings: FeaturesSettings;
  /** Versions and hardware that activations depend on. */
  fingerprint: Readonly<Record<string, string>>;
}

/**
 * Decides which snapshots' activations are kept (by configuration, or where they are small enough) and writes the request
 * for each that is not there yet.
 */
export async function planFeatures(options: FeaturesOptions): Promise<KeptFeatures[]> {
  const { places, model, settings } = options;
  const { snapshots, artifacts } = places;
  const indices = await requireSnapshots(snapshots);
  const kept = keptFeatures(options, indices);
  for (const { hash, snapshot, images, pieceImages } of kept)
    if (!(await isExtracted(artifacts, hash)))
      await putFeaturesRequest(artifacts, hash, {
        version: 1,
        model: { uri: model.uri, hash: model.hash },
        trainedBlocks: settings.trainedBlocks,
        snapshot: { folder: snapshots.uri, name: snapshot, hash: indices[snapshot].hash },
        images,
        pieceImages,
        maxFailureRate: settings.maxFailureRate,
      });
  return kept;
}

/** The features that a training keeps of snapshots. */
export function keptFeatures(
  { model, settings, fingerprint }: Omit<FeaturesOptions, 'places'>,
  indices: Snapshots,
): KeptFeatures[] {
  const { trainedBlocks, cache, cacheLimitGiB, validationLimit } = settings;
  const bytesPerImage = activationBytes(activationShape(model.folder));
  const pieceImages = Math.max(1, Math.min(PIECE_IMAGES, Math.floor(PIECE_BYTES / bytesPerImage)));
  const counted = SNAPSHOTS.map((snapshot) => {
    const all = indices[snapshot].images;
    return { snapshot, images: snapshot === 'validation' ? Math.min(all, validationLimit) : all };
  });
  const totalBytes = counted.reduce((sum, { images }) => sum + images * bytesPerImage, 0);
  const isKept = cache === 'always' || (cache === 'auto' && totalBytes <= cacheLimitGiB * 2 ** 30);
  if (!isKept) return [];

  return counted.flatMap(({ snapshot, images }) => {
    if (images === 0) return [];
    const meaning = [
      FEATURES_VERSION,
      model.hash,
      trainedBlocks,
      indices[snapshot].hash,
      images,
      pieceImages,
      DEFAULT_IMAGE_LIMITS,
      fingerprint,
    ];
    const hash = createHash('sha256').update(JSON.stringify(meaning)).digest('hex').slice(0, 32);
    const pieces = Math.ceil(images / pieceImages);
    return [{ hash, snapshot, images, pieces, pieceImages, sizeBytes: images * bytesPerImage }];
  });
}

/** Which of the features are there. */
export const withExtracted = (
  artifacts: ObjectStore,
  features: readonly KeptFeatures[],
): Promise<SnapshotFeatures[]> =>
  Promise.all(
    features.map(async (kept) => ({ ...kept, extracted: await isExtracted(artifacts, kept.hash) })),
  );

const isExtracted = async (artifacts: ObjectStore, hash: string): Promise<boolean> =>
  (await artifacts.head(featuresIndexKey(hash))) !== undefined;
