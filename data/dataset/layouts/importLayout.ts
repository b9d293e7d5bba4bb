import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { externalSort } from '../../externalSort.ts';
import { classifyFileError } from '../../store/file/classifyFile.ts';
import type { ObjectStore } from '../../store/store.ts';
import { compareUtf8 } from '../../utf8Order.ts';
import { Failure } from '../../failure.ts';
import { writeManifest, type LabelledImage } from '../writeManifest.ts';
import type { DroppedLabels, Layout, LayoutRecord } from './layout.ts';

export interface ImportOptions {
  /** Folder or bucket with the images. */
  images: ObjectStore;
  /** Path of the manifest; its ending says its format. */
  manifest: string;
  /** Path of the categories file, JSON. */
  categories: string;
  /** Whether rows get the images' etags, so that a training notices images that changed. */
  pin: boolean;
  /** Told how many records were read, every {@link REPORT_RECORDS}. */
  report?: (records: number) => void;
  /** Records sorted in memory at a time. Default: 10,000. */
  maxRecordsInMemory?: number;
}

/** What an import came to. */
export interface ImportSummary {
  categories: number;
  seen: number;
  unseen: number;
  /** Rows of the manifest. */
  images: number;
  /** Of these, without a label that is present. */
  imagesWithoutLabels: number;
  present: number;
  /** Labels that are said to be absent; where all that is not present is, 0. */
  absent: number;
  dropped: DroppedLabels;
  /** Images of the data set that have no file, which are left out, and one of them. */
  withoutFile: number;
  withoutFileExample: string | null;
  /** Files that the data set says nothing of. */
  unlistedFiles: number;
}

export const REPORT_RECORDS = 500_000;

/** What is said of an image may be hundreds of labels. */
const RECORDS_IN_MEMORY = 10_000;

/**
 * Writes a data set in its publishers' layout as a manifest of labels, in the order of the images' paths, and a
 * categories file. Memory is constant: what is said of images is sorted by their paths, and compared with the sorted
 * list of the files that are there.
 *
 * @throws Failure those of the layout, of the stores and of `writeManifest`; `Dataset.Empty` where no image has a file
 */
export async function importLayout(layout: Layout, options: ImportOptions): Promise<ImportSummary> {
  const { categories, dropped } = layout;
  const unseen = categories.filter(({ split }) => split === 'unseen').length;
  const summary: ImportSummary = {
    ...{ categories: categories.length, seen: categories.length - unseen, unseen },
    ...{ images: 0, imagesWithoutLabels: 0, present: 0, absent: 0 },
    ...{ dropped, withoutFile: 0, withoutFileExample: null, unlistedFiles: 0 },
  };
  await writeManifest(options.manifest, rowsOf(layout, options, summary));
  await writeCategories(layout, options.categories);
  return summary;
}

async function* rowsOf(
  layout: Layout,
  { images, pin, report, maxRecordsInMemory = RECORDS_IN_MEMORY }: ImportOptions,
  summary: ImportSummary,
): AsyncGenerator<LabelledImage> {
  const names = layout.categories.map(({ name }) => name);
  const sorted = externalSort(keyed(layout.records(), report), {
    keyOf: ({ key }) => key,
    maxRecordsInMemory,
  });
  const files = images.list()[Symbol.asyncIterator]();
  try {
    let file = await files.next();
    for await (const records of byImage(sorted)) {
      const { path } = records[0]!;
      for (; file.done !== true && compareUtf8(file.value.key, path) < 0; file = await files.next())
        summary.unlistedFiles++;
      if (file.done === true || file.value.key !== path) {
        summary.withoutFile++;
        summary.withoutFileExample ??= path;
        continue;
      }
      const { present, absent } = verdictsOf(records);
      const row = {
        uri: images.describeKey(path),
        labels: present.map((index) => names[index]!),
        absent: layout.unlisted === 'absent' ? null : absent.map((index) => names[index]!),
        etag: pin ? file.value.etag : null,
      };
      summary.images++;
      summary.present += row.labels.length;
      summary.absent += row.absent?.length ?? 0;
      if (row.labels.length === 0) summary.imagesWithoutLabels++;
      file = await files.next();
      yield row;
    }
    for (; file.done !== true; file = await files.next()) summary.unlistedFiles++;
  } finally {
    await files.return?.();
  }
  if (summary.images > 0) return;
  throw new Failure('Dataset.Empty', `${images.uri} has none of the data set's images.`, {
    subject: images.uri,
    ...(summary.withoutFileExample !== null && {
      hint: `It should have ${summary.withoutFileExample}, for one.`,
    }),
  });
}

interface KeyedRecord extends LayoutRecord {
  key: string;
}

/** Records with keys that sort by path and are all different; neighbours of one image and source become one. */
async function* keyed(
  records: AsyncIterable<LayoutRecord>,
  report?: (records: number) => void,
): AsyncGenerator<KeyedRecord> {
  let last: KeyedRecord | undefined;
  let count = 0;
  for await (const record of records) {
    if (++count % REPORT_RECORDS === 0) report?.(count);
    if (last?.path === record.path && last.isMachine === record.isMachine) {
      last.present.push(...record.present);
      last.absent.push(...record.absent);
      continue;
    }
    if (last) yield last;
    const { path, present, absent, isMachine } = record;
    const key = `${path}\0${String(count).padStart(14, '0')}`;
    last = { key, path, present: [...present], absent: [...absent], isMachine };
  }
  if (last) yield last;
}

async function* byImage(records: AsyncIterable<KeyedRecord>): AsyncGenerator<KeyedRecord[]> {
  let image: KeyedRecord[] = [];
  for await (const record of records) {
    if (image.length > 0 && image[0]!.path !== record.path) {
      yield image;
      image = [];
    }
    image.push(record);
  }
  if (image.length > 0) yield image;
}

/** What of each category counts: people before machines, and of these, present before absent. */
function verdictsOf(records: readonly LayoutRecord[]): { present: number[]; absent: number[] } {
  const verdicts = new Map<number, boolean>();
  const ranked: [LayoutRecord[], 'absent' | 'present'][] = [true, false].flatMap((isMachine) => {
    const own = records.filter((record) => record.isMachine === isMachine);
    return [
      [own, 'absent'],
      [own, 'present'],
    ];
  });
  // Later ones overrule earlier ones.
  for (const [own, kind] of ranked)
    for (const record of own) for (const index of record[kind]) verdicts.set(index, kind === 'present');
  const of = (wanted: boolean): number[] =>
    [...verdicts]
      .flatMap(([index, isPresent]) => (isPresent === wanted ? [index] : []))
      .sort((a, b) => a - b);
  return { present: of(true), absent: of(false) };
}

async function writeCategories({ categories }: Layout, path: string): Promise<void> {
  const entries = categories.map(({ name, split }) => JSON.stringify({ name, ...(split && { split }) }));
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `[\n${entries.join(',\n')}\n]\n`);
  } catch (error) {
    throw classifyFileError(error, path);
  }
}
