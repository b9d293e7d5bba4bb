import type { ObjectStore } from '../../../data/store/store.ts';
import {
  featuresForgottenKey,
  featuresIndexKey,
  featuresReceiptKey,
} from '../../../data/training/trainLayout.ts';

/** Forgets features for a run that wants them extracted again; once, however often the run is resumed. */
export async function forgetFeatures(
  artifacts: ObjectStore,
  hash: string,
  pieces: number,
  run: string,
): Promise<void> {
  const key = featuresForgottenKey(hash, run);
  if (await artifacts.head(key)) return;
  await artifacts.delete([
    // First: without it nobody takes them for whole.
    featuresIndexKey(hash),
    ...Array.from({ length: pieces }, (_, piece) => featuresReceiptKey(hash, piece)),
  ]);
  await artifacts.put(key, '');
}
