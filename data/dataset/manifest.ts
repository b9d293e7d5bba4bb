import { Failure, isFailure } from '../failure.ts';
import {
  placeOf,
  readCsvRecords,
  readJsonlRecords,
  readParquetRecords,
  type FileRecord,
} from '../records.ts';
import { fileUri } from '../store/file/file.ts';
import { openStore, type StoreOptions } from '../store/open.ts';
import { openRanges, type RangedObject } from '../store/ranges.ts';
import { manifestRow, ROW_FIELDS, type ManifestKind, type ManifestRow } from './manifestRow.ts';
import { notUtf8 } from './notUtf8.ts';
import { resolveObjectUri, splitObjectUri } from './objectUri.ts';

export interface ManifestOptions {
  kind: ManifestKind;
  /** How the manifest's own store is reached. */
  store?: StoreOptions;
  signal?: AbortSignal;
}

const FORMATS = { '.parquet': 'parquet', '.csv': 'csv', '.jsonl': 'jsonl', '.ndjson': 'jsonl' } as const;

interface RecordContext {
  format: (typeof FORMATS)[keyof typeof FORMATS];
  kind: ManifestKind;
  fail: (reason: string, cause?: unknown) => Failure;
}

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
  const format = FORMATS[ending as keyof typeof FORMATS];
  const { kind } = options;
  const context = {
    kind,
    joined: format !== 'jsonl',
    resolve: (written: string) => resolveObjectUri(written, folder),
    fail,
  };
  let isEmpty = true;
  if (object.sizeBytes > 0)
    for await (const { at, fields } of recordsOf(object, file, { format, kind, fail })) {
      isEmpty = false;
      yield manifestRow(fields, placeOf(format, at), context);
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

async function* recordsOf(
  object: RangedObject,
  file: string,
  { format, kind, fail }: RecordContext,
): AsyncGenerator<FileRecord> {
  const columns = ROW_FIELDS[kind];
  const source = { object, file, fail, encoding: (line: number) => notUtf8(file, line) };
  if (format === 'jsonl') yield* readJsonlRecords(source, `an object with ${fieldsOf(kind)}`);
  else if (format === 'csv') yield* readCsvRecords(source, columns);
  else
    try {
      yield* readParquetRecords(source, columns);
    } catch (error) {
      if (!isFailure(error, 'Parquet.')) throw error;
      throw new Failure('Dataset.Invalid', error.message, {
        subject: file,
        hint: [error.hint, HINT].filter((hint) => hint !== undefined).join(' '),
        cause: error,
      });
    }
}

const fieldsOf = (kind: ManifestKind): string =>
  ROW_FIELDS[kind].required.map((field) => `"${field}"`).join(' and ');

function invalid(file: string, reason: string, cause?: unknown): Failure {
  return new Failure('Dataset.Invalid', `${file}: ${reason}.`, { subject: file, hint: HINT, cause });
}
