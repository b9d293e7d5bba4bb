import { readSnapshotIndex } from '../../../data/dataset/snapshot.ts';
import { featuresIndexKey, featuresPieceKey, snapshotFolder } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { TrainPlan } from '../../../workflows/trainTypes.ts';
import { requireFeaturesReceipt } from './featuresReceipt.ts';

/**
 * Writes `index.json` beside the pieces of a snapshot's features: which images they are of, and each piece's file, images
 * and failures. Throws `Run.Incomplete` where a piece is missing.
 */
export async function indexFeatures(
  output: ObjectStore,
  { hash, snapshot, pieces }: TrainPlan['features'][number],
  report: (pieces: number) => void,
): Promise<void> {
  const key = featuresIndexKey(hash);
  if (await output.head(key)) return;
  const listed = [];
  for (let piece = 0; piece < pieces; piece++) {
    const { images, failed, sizeBytes } = await requireFeaturesReceipt(output, hash, piece);
    listed.push({ file: featuresPieceKey(hash, piece), images, failed: failed.length, sizeBytes });
    report(piece + 1);
  }
  const index = {
    version: 1,
    snapshot: (await readSnapshotIndex(output, snapshotFolder(snapshot)))?.hash,
    images: listed.reduce((sum, { images }) => sum + images, 0),
    sizeBytes: listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    pieces: listed,
  };
  await output.put(key, JSON.stringify(index, null, 1), { contentType: 'application/json' });
}
