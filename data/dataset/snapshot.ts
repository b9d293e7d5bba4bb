/**
 * A data set frozen in a run's folder: its images in the order of the SHA-256 of their URIs, in pieces of JSON lines,
 * and an index, which is written last. Pieces lie in a folder named by the snapshot's hash, so that two attempts that
 * found different manifests never mix.
 */
import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { z } from 'zod';
import { Failure, isFailure } from '../failure.ts';
import { readJsonIfThere } from '../store/json.ts';
import { snapshotFolder, type SnapshotName } from '../training/trainLayout.ts';
import type { StoreOptions } from '../store/open.ts';
import type { ObjectStore } from '../store/store.ts';
import { labelIndexer, type IndexedRow } from './labelled.ts';
import { manifestUri, readManifest } from './manifest.ts';
import { canonicalMeaning, rowMaker, type SnapshotMeaning, type SnapshotRow } from './snapshotRow.ts';
import { imagesOf, partsOf, type SnapshotPart } from './snapshotParts.ts';
import { sortImages, type SortedImages } from './sortedImages.ts';

/** Images per piece. */
export const SNAPSHOT_PIECE_ROWS = 1000;

/** Pieces read or written at once: each is some 100 kB, so latency is what there is to hide. */
const CONCURRENCY = 8;

/** Rows between two reports. */
const REPORT_ROWS = 1000;

const indexSchema = z.object({
  version: z.literal(1),
  kind: z.enum(['labels', 'captions']),
  /** SHA-256, in hex, of the images in order and of what their labels mean. */
  hash: z.string(),
  images: z.int().nonnegative(),
  pieces: z.int().nonnegative(),
  /** Rows of the manifest that repeated an image; of one manifest for both snapshots, counted in the training's. */
  duplicates: z.int().nonnegative(),
  /** Labels of unseen categories that training does without. */
  unseenLabels: z.int().nonnegative(),
  /** For each category, the images that it is present in; empty for captions. */
  positives: z.array(z.int().nonnegative()),
});

export type SnapshotIndex = z.infer<typeof indexSchema>;

export type SnapshotOptions = SnapshotMeaning & {
  /** The run's folder. */
  output: ObjectStore;
  /** URI of the manifest to train on. */
  data: string;
  /** URI of the manifest to validate on; null: a share of `data`'s images is held back. */
  validation: string | null;
  /** That share, in [0, 1); at least one image of twenty or more where it is not 0. */
  validationShare: number;
  /** Told a growing number, the rows read, sorted and written so far, every thousand rows. */
  report?: (done: number) => void;
  signal?: AbortSignal;
  /** How the manifests' stores are reached. */
  store?: StoreOptions;
  /** Folder for temporary files, some times the manifests' size. Default: the system's. */
  tempFolder?: string;
  /** Rows sorted in memory at a time. Default: 50,000. */
  maxRecordsInMemory?: number;
};

/** Both snapshots of a run. */
export type Snapshots = Record<SnapshotName, SnapshotIndex>;

/**
 * Freezes a data set in the run's folder as the snapshots `train` and `validation`. Where both are there already they
 * stay, and no manifest is read. Memory is constant, and the order of the manifests does not matter.
 *
 * @throws Failure those of `readManifest`; `Dataset.UnknownCategory`; `Dataset.Conflict` for an image with two sets of
 *   labels, two etags or a label that is also absent; `Dataset.Overlap` for images of both manifests; `Dataset.NoPositives` where
 *   no seen category has one. All these come before anything is written. `Dataset.Changed` where an earlier attempt had
 *   begun with another manifest.
 */
export async function writeSnapshot(options: SnapshotOptions): Promise<Snapshots> {
  const { output } = options;
  const [train, validation] = await Promise.all([
    readSnapshotIndex(output, snapshotFolder('train')),
    readSnapshotIndex(output, snapshotFolder('validation')),
  ]);
  if (train && validation) return { train, validation };

  const tick = ticker(options);
  const sources: SortedImages[] = [];
  try {
    for (const uri of [options.data, options.validation])
      if (uri !== null) sources.push(await sortManifest(uri, options, tick));
    const parts = await partsOf(sources, options.validationShare, tick);
    const indices = {
      train: await summarise(parts.train, 'train', options, tick),
      validation: await summarise(parts.validation, 'validation', options, tick),
    };
    if (options.kind === 'labels') refuseNoPositives(indices.train, sources[0]!.file);
    // The training's index goes last: with it the whole is there.
    for (const name of ['validation', 'train'] as const) {
      const folder = snapshotFolder(name);
      await writePieces(output, folder, indices[name], rowsOf(parts[name], name, options, tick));
      await commitIndex(output, folder, indices[name]);
    }
    return indices;
  } finally {
    for (const source of sources) await source.remove();
  }
}

/** What freezing needs to know besides the manifests. */
export type FreezeOptions = SnapshotMeaning &
  Pick<SnapshotOptions, 'output' | 'report' | 'signal' | 'store' | 'tempFolder' | 'maxRecordsInMemory'>;

/**
 * Freezes a whole manifest of images that are not trained on in `folder` of the output; the labels of unseen categories
 * stay. Where it is there already it stays. Throws as {@link writeSnapshot} does.
 */
export async function writeHeldBack(
  folder: string,
  manifest: string,
  options: FreezeOptions,
): Promise<SnapshotIndex> {
  const { output } = options;
  const known = await readSnapshotIndex(output, folder);
  if (known) return known;
  const tick = ticker(options);
  const source = await sortManifest(manifest, options, tick);
  try {
    const { train: whole } = await partsOf([source], 0, tick);
    const index = await summarise(whole, 'validation', options, tick);
    await writePieces(output, folder, index, rowsOf(whole, 'validation', options, tick));
    await commitIndex(output, folder, index);
    return index;
  } finally {
    await source.remove();
  }
}

/** Counts rows, reports every thousandth and ends an aborted snapshot. */
function ticker({ report, signal }: FreezeOptions): () => void {
  let done = 0;
  return () => {
    if (++done % REPORT_ROWS > 0) return;
    signal?.throwIfAborted();
    report?.(done);
  };
}

/** Reads and sorts a manifest; what comes back is to be removed. Throws as {@link writeSnapshot} does of one manifest. */
export async function sortManifest(
  uri: string,
  options: FreezeOptions,
  tick: () => void,
): Promise<SortedImages> {
  const { kind, store, signal, tempFolder, maxRecordsInMemory } = options;
  const file = manifestUri(uri);
  const index = labelIndexer(kind === 'labels' ? options.categories : [], file);
  async function* rows(): AsyncGenerator<IndexedRow> {
    for await (const row of readManifest(file, {
      kind,
      ...(store && { store }),
      ...(signal && { signal }),
    })) {
      tick();
      yield index(row);
    }
  }
  return await sortImages(rows(), { kind, file, tempFolder, maxRecordsInMemory, tick });
}

async function* rowsOf(
  part: SnapshotPart,
  name: SnapshotName,
  meaning: SnapshotMeaning,
  tick: () => void,
): AsyncGenerator<SnapshotRow> {
  const make = rowMaker(meaning, name);
  for await (const image of imagesOf(part)) {
    tick();
    yield make(image).row;
  }
}

async function summarise(
  part: SnapshotPart,
  name: SnapshotName,
  meaning: SnapshotMeaning,
  tick: () => void,
): Promise<SnapshotIndex> {
  const images = part.to - part.from;
  const make = rowMaker(meaning, name);
  const hash = createHash('sha256').update(`${canonicalMeaning(meaning)}\n`);
  const positives = new Array<number>(meaning.kind === 'labels' ? meaning.categories.length : 0).fill(0);
  let unseenLabels = 0;
  for await (const image of imagesOf(part)) {
    tick();
    const { row, dropped } = make(image);
    hash.update(`${JSON.stringify(row)}\n`);
    unseenLabels += dropped;
    for (const index of row.present) positives[index]!++;
  }
  return {
    version: 1,
    kind: meaning.kind,
    hash: hash.digest('hex'),
    images,
    pieces: Math.ceil(images / SNAPSHOT_PIECE_ROWS),
    duplicates: part.duplicates,
    unseenLabels,
    positives,
  };
}

function refuseNoPositives({ positives, unseenLabels }: SnapshotIndex, file: string): void {
  if (positives.some((count) => count > 0)) return;
  const found = unseenLabels > 0 ? `, only labels of unseen ones (${unseenLabels})` : '';
  throw new Failure(
    'Dataset.NoPositives',
    `${file} has no image with a label of a seen category${found}: there is nothing to learn.`,
    {
      subject: file,
      hint: 'Add images with labels, or correct the column "split" of the categories file.',
    },
  );
}

const pieceKey = (folder: string, hash: string, piece: number): string =>
  `${folder}${hash.slice(0, 16)}/images-${String(piece).padStart(6, '0')}.jsonl`;

const indexKey = (folder: string): string => `${folder}index.json`;

async function writePieces(
  output: ObjectStore,
  folder: string,
  { hash }: SnapshotIndex,
  rows: AsyncIterable<SnapshotRow>,
): Promise<void> {
  let written = 0;
  let pieces: string[] = [];
  let lines: string[] = [];
  const endPiece = () => {
    pieces.push(lines.join(''));
    lines = [];
  };
  const put = async () => {
    await Promise.all(pieces.map((text, i) => output.put(pieceKey(folder, hash, written + i), text)));
    written += pieces.length;
    pieces = [];
  };
  for await (const row of rows) {
    lines.push(`${JSON.stringify(row)}\n`);
    if (lines.length === SNAPSHOT_PIECE_ROWS) endPiece();
    if (pieces.length === CONCURRENCY) await put();
  }
  if (lines.length > 0) endPiece();
  await put();
}

async function commitIndex(output: ObjectStore, folder: string, index: SnapshotIndex): Promise<void> {
  const key = indexKey(folder);
  try {
    await output.put(key, JSON.stringify(index), { ifNoneMatch: '*', contentType: 'application/json' });
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    if ((await readSnapshotIndex(output, folder))?.hash === index.hash) return;
    const subject = output.describeKey(key);
    throw new Failure('Dataset.Changed', `${subject} is of another state of the manifest.`, {
      subject,
      hint: 'The manifest changed while the run began. Choose another --out, or empty this one.',
    });
  }
}

/**
 * The index of the snapshot in `folder`, as `snapshotFolder` names it; undefined where it is not whole.
 *
 * @throws Failure `Run.Invalid`
 */
export async function readSnapshotIndex(
  output: ObjectStore,
  folder: string,
): Promise<SnapshotIndex | undefined> {
  const key = indexKey(folder);
  const json = await readJsonIfThere(output, key);
  if (json === undefined) return undefined;
  const { success, data, error } = indexSchema.safeParse(json);
  if (success) return data;
  const subject = output.describeKey(key);
  throw new Failure('Run.Invalid', `${subject} is not a snapshot's index: ${z.prettifyError(error)}`, {
    subject,
    hint: 'Choose another --out: this folder was written by something else.',
  });
}

/**
 * Images [from, to) of a snapshot, in its order; reads only the pieces that hold them.
 *
 * @throws Failure `Run.Incomplete` where there is no snapshot, `Dataset.Range` where it has no such images,
 *   `Run.Damaged` where a piece is not what was written
 */
export async function readSnapshotRows(
  output: ObjectStore,
  folder: string,
  from: number,
  to: number,
): Promise<SnapshotRow[]> {
  const index = await readSnapshotIndex(output, folder);
  const subject = output.describeKey(indexKey(folder));
  if (index === undefined) throw new Failure('Run.Incomplete', `${subject} is not there yet.`, { subject });
  const { images, hash } = index;
  if (!(0 <= from && from <= to && to <= images))
    throw new Failure('Dataset.Range', `${subject} has ${images} images: none from ${from} to ${to}.`, {
      subject,
    });
  const first = Math.floor(from / SNAPSHOT_PIECE_ROWS);
  const numbers = Array.from({ length: Math.ceil(to / SNAPSHOT_PIECE_ROWS) - first }, (_, i) => first + i);
  const pieces = await pMap(
    numbers,
    async (piece) => {
      const key = pieceKey(folder, hash, piece);
      const text = Buffer.from((await output.get(key)).body).toString();
      const rows = text.split('\n').filter((line) => line !== '');
      if (rows.length === Math.min(SNAPSHOT_PIECE_ROWS, images - piece * SNAPSHOT_PIECE_ROWS))
        return rows.map((line) => JSON.parse(line) as SnapshotRow);
      const damaged = output.describeKey(key);
      throw new Failure('Run.Damaged', `${damaged} holds ${rows.length} images.`, { subject: damaged });
    },
    { concurrency: CONCURRENCY },
  );
  const start = first * SNAPSHOT_PIECE_ROWS;
  return pieces.flat().slice(from - start, to - start);
}
