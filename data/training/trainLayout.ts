/** Where things lie in the folder of a training run (docs/training.md), besides the model that it becomes. */

export const SNAPSHOTS = ['train', 'validation'] as const;
/** The images that are trained on, and those held back. */
export type SnapshotName = (typeof SNAPSHOTS)[number];

/** How the training is cut up, written when it is prepared; and what preparing made. */
export const PREPARED = '_prepared.json';
export const PREPARED_TEXT = '_prepared/text.safetensors';
export const PREPARED_GRAPH = '_prepared/graph.json';

/** A model folder with the parameters of the best round before training diverged. */
export const CHECKPOINT = '_checkpoint/';

export const ROUNDS = '_rounds/';
/** The parameters that training starts from. */
export const START = '_rounds/start.safetensors';

export const snapshotFolder = (name: SnapshotName): string => `_snapshot/${name}/`;

/** Folder of a run that has the artifacts of its training, where it does not share those of others. */
export const ARTIFACTS = '_artifacts';

/** Activations of a snapshot's images, among the artifacts; `hash` names everything that determines them. */
const featuresFolder = (hash: string): string => `features-${hash}/`;
/** What they are of: with it they can be extracted. */
export const featuresRequestKey = (hash: string): string => `${featuresFolder(hash)}request.json`;
/** Written when all pieces are whole. */
export const featuresIndexKey = (hash: string): string => `${featuresFolder(hash)}index.json`;
export const featuresPieceKey = (hash: string, piece: number): string =>
  `${featuresFolder(hash)}piece-${String(piece).padStart(6, '0')}.safetensors`;
/** Written when a run that wanted the features extracted again has had them forgotten. */
export const featuresForgottenKey = (hash: string, run: string): string =>
  `${featuresFolder(hash)}forgotten-${run}`;
/** Written after the piece: with it the piece is whole. */
export const featuresReceiptKey = (hash: string, piece: number): string =>
  `${featuresFolder(hash)}piece-${String(piece).padStart(6, '0')}.json`;

/** Rounds count from 1, so that round 0 is what training starts from. */
const roundFolder = (round: number): string => `${ROUNDS}${String(round).padStart(6, '0')}/`;

/** Receipts name the object that counts: any number of attempts may have written one. */
export const shardReceiptKey = (round: number, shard: number): string =>
  `${roundFolder(round)}shard-${String(shard).padStart(3, '0')}.json`;
export const mergeReceiptKey = (round: number): string => `${roundFolder(round)}merged.json`;
export const validationKey = (round: number): string => `${roundFolder(round)}validation.json`;

export const shardStateKey = (round: number, shard: number, attempt: string): string =>
  `${roundFolder(round)}shard-${String(shard).padStart(3, '0')}.${attempt}.safetensors`;
export const mergedStateKey = (round: number, attempt: string): string =>
  `${roundFolder(round)}merged.${attempt}.safetensors`;

/** The round that a key under {@link ROUNDS} is of. */
export function roundOfKey(key: string): number | undefined {
  const digits = /^_rounds\/(\d{6,})\//.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
