/** The images that an evaluation is of: frozen in its own folder, or in the snapshot that its specification names. */
import { createHash } from 'node:crypto';
import type { Category } from '../categories.ts';
import { manifestUri } from '../dataset/manifest.ts';
import { sharedAre, sharedImages } from '../dataset/sharedImages.ts';
import {
  readSnapshotIndex,
  readSnapshotRows,
  SNAPSHOT_PIECE_ROWS,
  writeHeldBack,
  type SnapshotIndex,
} from '../dataset/snapshot.ts';
import { canonicalMeaning, type SnapshotRow } from '../dataset/snapshotRow.ts';
import { Failure } from '../failure.ts';
import { canonicalUri } from '../store/open.ts';
import type { ObjectStore } from '../store/store.ts';
import { evaluationSnapshotFolder } from './evaluateLayout.ts';
import type { EvaluateSpec } from './evaluateSpec.ts';
import type { EvaluationSnapshot } from './systems.ts';

/** Rows read at once. */
const READ_ROWS = 8 * SNAPSHOT_PIECE_ROWS;

/** Where a snapshot lies: its index is at `folder` in `store`. */
export interface SnapshotPlace {
  store: ObjectStore;
  folder: string;
}

/** Where the images of an evaluation lie; undefined where its specification has none. */
export function snapshotPlace(
  output: ObjectStore,
  spec: EvaluateSpec,
  name: EvaluationSnapshot,
  openStore: (uri: string) => ObjectStore,
): SnapshotPlace | undefined {
  const uri = spec[name];
  if (uri === null) return undefined;
  return isManifest(uri)
    ? { store: output, folder: evaluationSnapshotFolder(name) }
    : { store: openStore(uri), folder: '' };
}

/** Whether a URI is that of a manifest; else it is a snapshot's folder. */
export const isManifest = (uri: string): boolean => /\.(?:parquet|csv|jsonl|ndjson)$/i.test(uri);

/** What a user names as images, a manifest or a snapshot's folder, as a canonical URI. */
export const snapshotUri = (given: string): string =>
  isManifest(given) ? manifestUri(given) : canonicalUri(given);

export interface EvaluationSnapshotOptions {
  spec: EvaluateSpec;
  categories: readonly Category[];
  openStore(uri: string): ObjectStore;
  /** Told a growing number, every thousand rows or so. */
  report(rows: number): void;
  signal: AbortSignal;
}

/**
 * Freezes what the specification gives as manifests, and checks what it gives as snapshots.
 *
 * @throws Failure those of `writeHeldBack`; `Dataset.OtherCategories` for a snapshot that is not of these categories;
 *   `Dataset.Overlap` where an image is both tested on and what the calibration is fitted on
 */
export async function writeEvaluationSnapshots(
  output: ObjectStore,
  options: EvaluationSnapshotOptions,
): Promise<{ test: SnapshotIndex; validation: SnapshotIndex | null }> {
  const { spec, openStore } = options;
  const freeze = async (name: EvaluationSnapshot): Promise<SnapshotIndex | null> => {
    const place = snapshotPlace(output, spec, name, openStore);
    if (!place) return null;
    return place.store === output ? writeOwn(output, name, options) : checkGiven(place, options);
  };
  const indices = { validation: await freeze('validation'), test: (await freeze('test'))! };
  const test = snapshotPlace(output, spec, 'test', openStore)!;
  const validation = snapshotPlace(output, spec, 'validation', openStore);
  if (validation) await refuseOverlap(test, validation, options.signal);
  return indices;
}

function writeOwn(
  output: ObjectStore,
  name: EvaluationSnapshot,
  { spec, categories, report, signal }: EvaluationSnapshotOptions,
): Promise<SnapshotIndex> {
  return writeHeldBack(evaluationSnapshotFolder(name), spec[name]!, {
    kind: 'labels',
    categories,
    unlisted: spec.settings.unlisted,
    output,
    report,
    signal,
  });
}

/** A snapshot says its categories by their indices alone: its hash tells whether they are these. */
async function checkGiven(
  place: SnapshotPlace,
  { categories, spec, report, signal }: EvaluationSnapshotOptions,
): Promise<SnapshotIndex> {
  const index = await requireIndex(place);
  const { unlisted } = spec.settings;
  const hash = createHash('sha256').update(`${canonicalMeaning({ kind: 'labels', categories, unlisted })}\n`);
  let rows = 0;
  for await (const row of snapshotRows(place, signal)) {
    hash.update(`${JSON.stringify(row)}\n`);
    if (++rows % SNAPSHOT_PIECE_ROWS === 0) report(rows);
  }
  if (hash.digest('hex') === index.hash) return index;
  throw new Failure(
    'Dataset.OtherCategories',
    `The snapshot ${place.store.uri} is not one of images with labels of these categories.`,
    {
      subject: place.store.uri,
      hint: 'Evaluate with the categories file, order and splits included, that it was made with, or give the manifest.',
    },
  );
}

/** The index of a snapshot that must be there. Throws `Run.Incomplete`. */
export async function requireIndex({ store, folder }: SnapshotPlace): Promise<SnapshotIndex> {
  const index = await readSnapshotIndex(store, folder);
  if (index) return index;
  const subject = store.describeKey(`${folder}index.json`);
  throw new Failure('Run.Incomplete', `${subject} is not there: ${store.uri} holds no snapshot.`, {
    subject,
    hint: 'Give a manifest (.jsonl, .csv, .parquet), or the folder that has the index.json of a snapshot.',
  });
}

/** All images of a snapshot, in its order. */
export async function* snapshotRows(
  place: SnapshotPlace,
  signal?: AbortSignal,
): AsyncGenerator<SnapshotRow, void, undefined> {
  const { images } = await requireIndex(place);
  for (let from = 0; from < images; from += READ_ROWS) {
    signal?.throwIfAborted();
    yield* await readSnapshotRows(place.store, place.folder, from, Math.min(images, from + READ_ROWS));
  }
}

/** Throws `Dataset.Overlap` where two snapshots share an image. */
async function refuseOverlap(
  test: SnapshotPlace,
  validation: SnapshotPlace,
  signal: AbortSignal,
): Promise<void> {
  const shared = await sharedImages(snapshotRows(test, signal), snapshotRows(validation, signal));
  if (shared.example === undefined) return;
  throw new Failure(
    'Dataset.Overlap',
    `${sharedAre(shared)} both tested on and among the validation images.`,
    {
      subject: shared.example,
      hint: 'A calibration must not be fitted on the images that it is tested on: remove them from one of the two.',
    },
  );
}
