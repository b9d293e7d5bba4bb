import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { externalSort } from '../externalSort.ts';
import { Failure } from '../failure.ts';
import { classifyFileError } from '../store/file/classifyFile.ts';
import type { IndexedRow } from './labelled.ts';
import type { ManifestKind } from './manifestRow.ts';
import { wholeLines } from './wholeLines.ts';

/** An image of a manifest, listed once. */
export interface SortedImage extends Omit<IndexedRow, 'place'> {
  /** SHA-256 of its URI, in hex: what images are sorted by. */
  id: string;
}

/** The images of a manifest in the order of their ids, in a temporary file. */
export interface SortedImages {
  /** The manifest. */
  file: string;
  images: number;
  /** Rows that repeated an image. */
  duplicates: number;
  read(): AsyncGenerator<SortedImage, void, undefined>;
  remove(): Promise<void>;
}

export interface SortImagesOptions {
  kind: ManifestKind;
  /** The manifest, for messages. */
  file: string;
  /** Folder for temporary files. Default: the system's. */
  tempFolder?: string | undefined;
  /** Rows held in memory. Default: that of {@link externalSort}. */
  maxRecordsInMemory?: number | undefined;
  /** Called for every image that was sorted. */
  tick?: () => void;
}

/** A row on its way through the sort; rows of equal keys are equal. */
interface SortRecord extends IndexedRow {
  key: string;
  /** Counts the manifest's rows. */
  ordinal: number;
}

const ID_LENGTH = 64;
const WRITE_BYTES = 1 << 18;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What images are sorted by. */
export const imageId = (uri: string): string => sha256(uri);

/**
 * Sorts the rows of a manifest by the SHA-256 of their URIs, which makes any slice a random sample whatever the order
 * of the manifest. Memory is constant. Rows of the same image become one: equal ones are dropped, captions and mentions
 * are united.
 *
 * @throws Failure `Dataset.Conflict` for an image that is listed with different labels or etags, naming both places
 */
export async function sortImages(
  rows: AsyncIterable<IndexedRow>,
  options: SortImagesOptions,
): Promise<SortedImages> {
  const { file, maxRecordsInMemory } = options;
  const tempFolder = options.tempFolder ?? tmpdir();
  let duplicates = 0;
  const sorted = externalSort(records(rows), {
    keyOf: ({ key }) => key,
    onDuplicate: () => duplicates++,
    tempFolder,
    ...(maxRecordsInMemory !== undefined && { maxRecordsInMemory }),
  });
  let images = 0;
  async function* unique(): AsyncGenerator<SortedImage> {
    let last: SortRecord | undefined;
    for await (const record of sorted) {
      if (last?.uri === record.uri) {
        last = united(last, record, options);
        duplicates++;
        continue;
      }
      if (last !== undefined) yield imageOf(last);
      last = record;
    }
    if (last !== undefined) yield imageOf(last);
  }
  const folder = await mkdtemp(join(tempFolder, 'c2srt-images-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'sorted.jsonl');
  try {
    const text = blocks(unique(), () => {
      images++;
      options.tick?.();
    });
    for await (const lines of text) await append(path, lines);
  } catch (error) {
    await remove();
    throw error;
  }
  return { file, images, duplicates, remove, read: () => readImages(path, images) };
}

async function* records(rows: AsyncIterable<IndexedRow>): AsyncGenerator<SortRecord> {
  let ordinal = 0;
  for await (const row of rows) {
    const { uri, etag, present, absent } = row;
    const captions = sortedUnique(row.captions);
    const mentions = sortedUnique(row.mentions);
    const content = JSON.stringify([present, absent, captions, mentions, ...(etag === null ? [] : [etag])]);
    yield {
      ...row,
      captions,
      mentions,
      ordinal: ordinal++,
      key: imageId(uri) + sha256(content).slice(0, 32),
    };
  }
}

const sortedUnique = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

function imageOf({ key, uri, etag, present, absent, captions, mentions }: SortRecord): SortedImage {
  return { id: key.slice(0, ID_LENGTH), uri, etag, present, absent, captions, mentions };
}

/** Two rows of one image as one; an etag that only one of them has counts for both. */
function united(a: SortRecord, b: SortRecord, { kind, file }: SortImagesOptions): SortRecord {
  if (kind === 'labels' && labelsOf(a) !== labelsOf(b)) refuse(a, b, file, 'labels');
  if (a.etag !== null && b.etag !== null && a.etag !== b.etag) refuse(a, b, file, 'etags');
  return {
    ...a,
    etag: a.etag ?? b.etag,
    captions: sortedUnique([...a.captions, ...b.captions]),
    mentions: sortedUnique([...a.mentions, ...b.mentions]),
  };
}

const labelsOf = ({ present, absent }: SortRecord): string => JSON.stringify([present, absent]);

function refuse(a: SortRecord, b: SortRecord, file: string, what: 'labels' | 'etags'): never {
  const [first, second] = a.ordinal < b.ordinal ? [a, b] : [b, a];
  throw new Failure(
    'Dataset.Conflict',
    `${file} lists ${a.uri} twice with different ${what}: ${first.place} and ${second.place}.`,
    {
      subject: a.uri,
      hint: what === 'labels' ? 'Keep one of them, or unite their labels.' : 'Keep the one of today.',
    },
  );
}

/** JSON lines of the images, in blocks. */
async function* blocks(images: AsyncIterable<SortedImage>, count: () => void): AsyncGenerator<string> {
  let text = '';
  for await (const image of images) {
    count();
    text += `${JSON.stringify(image)}\n`;
    if (text.length < WRITE_BYTES) continue;
    yield text;
    text = '';
  }
  yield text;
}

async function append(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'a');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw classifyFileError(error, path);
  }
}

async function* readImages(path: string, images: number): AsyncGenerator<SortedImage, void, undefined> {
  const broken = () =>
    new Failure('Store.Unavailable', `${path}: the temporary file was changed`, { retryable: true });
  let count = 0;
  const chunks = createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  for await (const { text } of wholeLines(chunks, { encoding: broken, tooLong: broken })) {
    for (const line of text.split('\n')) {
      if (line === '') continue;
      count++;
      yield JSON.parse(line) as SortedImage;
    }
  }
  if (count !== images) throw broken();
}
