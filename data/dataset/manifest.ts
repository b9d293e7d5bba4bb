import { streamCsvRows } from '../csvTable.ts';
import { Failure, isFailure, messageOf } from '../failure.ts';
import { readInfo, readRowGroups, type ParquetSource } from '../parquet/read.ts';
import { fileUri } from '../store/file.ts';
import { openStore, type StoreOptions } from '../store/open.ts';
import { openRanges, type RangedObject } from '../store/ranges.ts';
import {
  manifestRow,
  ROW_FIELDS,
  type ManifestKind,
  type ManifestRow,
  type RowContext,
} from './manifestRow.ts';
import { resolveObjectUri, splitObjectUri } from './objectUri.ts';
import { linesOfFile } from './textFile.ts';
import type { LineBlock } from './wholeLines.ts';

export interface ManifestOptions {
  kind: ManifestKind;
  /** How the manifest's own store is reached. */
  store?: StoreOptions;
  signal?: AbortSignal;
}

const FORMATS = { '.parquet': readParquet, '.csv': readCsv, '.jsonl': readJsonl, '.ndjson': readJsonl };

const HINT =
  'A manifest is a .parquet, .csv, .jsonl or .ndjson file with "uri" and "labels" (to train) or "captions" (to pre-train).';

/**
 * Reads a manifest, the list of a data set's images, in its own order. The URI's ending decides:
 *
 * - `.jsonl`, `.ndjson`: an object per line with lists of strings; blank lines are skipped;
 * - `.csv`: a header line; `|` between the items of a list, and an empty cell is the empty list;
 * - `.parquet`: of any codec; lists are `list<string>`, or a string with `|`.
 *
 * Fields: `uri` (s3://, file:///, an absolute path, or a path relative to the manifest's folder) and
 * `labels` (present categories, may be empty), optionally `absent`; or, for kind `captions`, `captions`, at least one,
 * and optionally `mentions`; in both kinds optionally `etag`, which the image must still have when it is read. Others are
 * ignored. Memory follows the longest line or, in Parquet, the largest row group.
 *
 * @param uri s3://, file:// or a path
 * @throws Failure `Dataset.Invalid`, `Dataset.Encoding` (not UTF-8), both naming file and line; `Dataset.Empty` for a
 *   manifest without rows; failures of the store
 */
export async function* readManifest(
  uri: string,
  options: ManifestOptions,
): AsyncGenerator<ManifestRow, void, undefined> {
  const file = manifestUri(uri);
  const fail = (reason: string, cause?: unknown): Failure => invalid(file, reason, cause);
  const ending = /\.[a-z]+$/i.exec(file)?.[0].toLowerCase() ?? '';
  if (!Object.hasOwn(FORMATS, ending)) throw fail(`its ending is none of ${Object.keys(FORMATS).join(', ')}`);
  const { store, key } = splitObjectUri(file);
  const folder = file.slice(0, file.lastIndexOf('/'));
  const object = await openRanges(openStore(store, options.store), key, options.signal);
  const rows = FORMATS[ending as keyof typeof FORMATS](object, file, {
    kind: options.kind,
    joined: ending === '.csv' || ending === '.parquet',
    resolve: (written) => resolveObjectUri(written, folder),
    fail,
  });
  let isEmpty = true;
  if (object.sizeBytes > 0)
    for await (const row of rows) {
      isEmpty = false;
      yield row;
    }
  if (isEmpty) throw new Failure('Dataset.Empty', `${file} lists no image.`, { subject: file, hint: HINT });
}

/** The canonical URI of a manifest; throws `Dataset.Invalid`. */
export function manifestUri(uri: string): string {
  try {
    return resolveObjectUri(uri, fileUri(process.cwd()));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw invalid(uri, `the manifest's URI ${error.message}`, error);
  }
}

async function* readJsonl(
  object: RangedObject,
  file: string,
  context: RowContext,
): AsyncGenerator<ManifestRow> {
  for await (const block of linesOf(object, file)) {
    for (const [index, text] of block.text.split('\n').entries()) {
      if (text.trim() === '') continue;
      const place = `line ${block.line + index}`;
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw invalid(file, `${place}: not valid JSON: ${messageOf(error)}`, error);
      }
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw context.fail(`${place}: expected an object with ${fieldsOf(context)}`);
      yield manifestRow(value as Record<string, unknown>, place, context);
    }
  }
}

async function* readCsv(
  object: RangedObject,
  file: string,
  context: RowContext,
): AsyncGenerator<ManifestRow> {
  async function* text(): AsyncGenerator<string> {
    for await (const block of linesOf(object, file)) yield block.text;
  }
  const { required } = ROW_FIELDS[context.kind];
  const rows = streamCsvRows(text(), required, (reason, cause) => invalid(file, reason, cause));
  for await (const { line, cells } of rows)
    yield manifestRow(Object.fromEntries(cells), `line ${line}`, context);
}

async function* readParquet(
  object: RangedObject,
  file: string,
  context: RowContext,
): AsyncGenerator<ManifestRow> {
  const source: Exclude<ParquetSource, Uint8Array> = {
    byteLength: object.sizeBytes,
    // hyparquet wants an ArrayBuffer of its own.
    slice: async (start, end) => Uint8Array.from(await object.slice(start, end)).buffer,
  };
  const { required, optional } = ROW_FIELDS[context.kind];
  try {
    const known = (await readInfo(source, file)).columns;
    const columns = [...required, ...optional.filter((name) => known.includes(name))];
    let row = 0;
    for await (const group of readRowGroups(source, { columns, name: file }))
      for (const record of group) yield manifestRow(record, `row ${++row}`, context);
  } catch (error) {
    if (!isFailure(error, 'Parquet.')) throw error;
    throw new Failure('Dataset.Invalid', error.message, {
      subject: file,
      hint: [error.hint, HINT].filter((hint) => hint !== undefined).join(' '),
      cause: error,
    });
  }
}

const fieldsOf = ({ kind }: RowContext): string =>
  ROW_FIELDS[kind].required.map((field) => `"${field}"`).join(' and ');

const linesOf = (object: RangedObject, file: string): AsyncGenerator<LineBlock> =>
  linesOfFile(object.chunks(), file, (reason) => invalid(file, reason));

function invalid(file: string, reason: string, cause?: unknown): Failure {
  return new Failure('Dataset.Invalid', `${file}: ${reason}.`, { subject: file, hint: HINT, cause });
}
