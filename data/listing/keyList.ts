import { Failure, isFailure, messageOf } from '../failure.ts';
import {
  objectFields,
  placeOf,
  readCsvRecords,
  readJsonlRecords,
  readLines,
  readParquetRecords,
  showValue,
  type FileRecord,
  type RecordFile,
} from '../records.ts';
import type { ObjectStore } from '../store/store.ts';
import { isArchiveClass } from '../store/s3/archived.ts';
import { openRanges, type RangedObject } from '../store/ranges.ts';
import { unquoted } from '../store/s3/escapes.ts';
import { gunzipped } from './gunzip.ts';
import type { ObjectName } from './objectFinder.ts';
import type { Position } from '../run/plan/entryOrder.ts';
import type { ListedEntry } from './sortEntries.ts';

const FORMATS = {
  '.parquet': 'parquet',
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.txt': 'text',
} as const;

export type KeyListFormat = (typeof FORMATS)[keyof typeof FORMATS];

const FIELDS = ['key', 'uri', 'etag', 'size_bytes', 'version_id', 'last_modified', 'storage_class'] as const;

const HINT =
  'A key list is a .txt file with a key per line, or .csv, .jsonl, .ndjson or .parquet with "key" (or "uri") and, where known, "etag", "size_bytes", "version_id", "last_modified" and "storage_class"; text formats may be gzipped (.gz). See docs/sources.md.';

/** A key list, opened. */
export interface KeyList {
  /** Its URI, for messages. */
  uri: string;
  format: KeyListFormat;
  object: Pick<RangedObject, 'sizeBytes' | 'slice' | 'chunks'>;
}

/** How a list's rows become entries. */
export interface KeyListOptions {
  /** Which list this is of those that are read together, from 0. */
  file: number;
  /** Finds an object in the sources; throws TypeError. */
  find: (name: ObjectName) => Position;
}

/**
 * Opens a key list; the ending of `uri` (without `.gz`) tells its format. `key` is its key in `store`.
 *
 * @throws Failure `KeyList.Invalid` for another ending, `Store.Changed` where it is not the one with `etag` any more
 */
export async function openKeyList(
  uri: string,
  { store, key, etag, signal }: { store: ObjectStore; key: string; etag?: string; signal?: AbortSignal },
): Promise<KeyList> {
  const format = keyListFormat(uri);
  const object = await openRanges(store, key, signal);
  if (etag !== undefined && object.etag !== etag)
    throw new Failure('Store.Changed', `${uri} is not the list that the run was started with any more.`, {
      subject: uri,
      hint: 'Put it back, or start another run with the new one.',
    });
  if (!uri.toLowerCase().endsWith('.gz')) return { uri, format, object };
  const chunks = () => gunzipped(object.chunks(), (reason, cause) => invalid(uri, reason, cause));
  return { uri, format, object: { ...object, chunks } };
}

/** The format of a key list, by its ending. Throws `KeyList.Invalid`. */
export function keyListFormat(uri: string): KeyListFormat {
  const [, ending = '', packed] = /(\.[a-z]+)(\.gz)?$/i.exec(uri) ?? [];
  const format = Object.hasOwn(FORMATS, ending.toLowerCase())
    ? FORMATS[ending.toLowerCase() as keyof typeof FORMATS]
    : undefined;
  if (format === undefined || (format === 'parquet' && packed !== undefined))
    throw invalid(uri, `its ending is none of ${Object.keys(FORMATS).join(', ')}`);
  return format;
}

/**
 * The entries of a key list in its own order; memory follows the longest line or, in Parquet, the largest row group.
 *
 * @throws Failure `KeyList.Invalid`, naming file, line (or row) and what was expected
 */
export async function* readKeyList(
  { uri, format, object }: KeyList,
  { file, find }: KeyListOptions,
): AsyncGenerator<ListedEntry, void, undefined> {
  const fail = (reason: string, cause?: unknown) => invalid(uri, reason, cause);
  if (object.sizeBytes === 0) return;
  for await (const { at, fields } of recordsOf({ object, file: uri, fail }, format)) {
    try {
      yield { ...entryOf(fields, find), file, at };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw fail(`${placeOf(format, at)}: ${error.message}`, error);
    }
  }
}

async function* recordsOf(file: RecordFile, format: KeyListFormat): AsyncGenerator<FileRecord> {
  if (format === 'text') {
    for await (const { at, text } of readLines(file)) {
      const line = text.replace(/\r$/, '');
      if (line !== '') yield { at, fields: nameFields(line) };
    }
  } else if (format === 'jsonl') {
    yield* readJsonlRecords(file, 'a string, or an object with "key" or "uri"', (value) =>
      typeof value === 'string' ? nameFields(value) : objectFields(value),
    );
  } else if (format === 'csv') {
    for await (const { at, fields } of readCsvRecords(file, { required: [] })) {
      if (!('key' in fields || 'uri' in fields))
        throw file.fail(`line ${at}: expected a header line with a column "key" or "uri" before it`);
      yield { at, fields };
    }
  } else {
    try {
      for await (const record of readParquetRecords(file, { required: [], optional: FIELDS })) {
        if (!('key' in record.fields || 'uri' in record.fields))
          throw file.fail('expected a column "key" or "uri"');
        yield record;
      }
    } catch (error) {
      if (!isFailure(error, 'Parquet.')) throw error;
      throw file.fail(messageOf(error).replace(/\.$/, ''), error);
    }
  }
}

/** A line that is nothing but a name. */
const nameFields = (name: string): FileRecord['fields'] =>
  /^(s3|file):\/\//i.test(name) ? { uri: name } : { key: name };

function entryOf(
  fields: FileRecord['fields'],
  find: KeyListOptions['find'],
): Omit<ListedEntry, 'file' | 'at'> {
  const key = optionalText(fields, 'key', false);
  const uri = optionalText(fields, 'uri', true);
  if (key === null && uri === null) throw new TypeError('expected a "key" or a "uri", found none');
  const position = named(uri === null ? 'key' : 'uri', uri ?? key!, () =>
    find(uri === null ? { key: key! } : { uri }),
  );
  const etag = optionalText(fields, 'etag', true);
  const versionId = optionalText(fields, 'version_id', true);
  const storageClass = optionalText(fields, 'storage_class', true);
  return {
    ...(position.source !== 0 && { source: position.source }),
    key: position.key,
    etag: etag === null ? null : unquoted(etag),
    sizeBytes: sizeOf(fields['size_bytes']),
    lastModifiedMs: timeOf(fields['last_modified']),
    ...(versionId !== null && { versionId }),
    ...(storageClass !== null && isArchiveClass(storageClass) && { archived: true }),
  };
}

function named<T>(field: string, value: string, find: () => T): T {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`${field} ${showValue(value)} ${error.message}`, { cause: error });
  }
}

/** Absent, null and, where `emptyIsNone`, empty are null: a cell of CSV cannot be absent. */
function optionalText(fields: FileRecord['fields'], field: string, emptyIsNone: boolean): string | null {
  const value = fields[field];
  if (value === undefined || value === null || (emptyIsNone && value === '')) return null;
  if (typeof value === 'string') return value;
  throw new TypeError(`${field}: expected a string, found ${showValue(value)}`);
}

function sizeOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const size = typeof value === 'string' && !/^\d+$/.test(value) ? NaN : Number(value);
  if (Number.isSafeInteger(size) && size >= 0 && typeof value !== 'boolean') return size;
  throw new TypeError(`size_bytes: expected a whole number of bytes, found ${showValue(value)}`);
}

function timeOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const ms = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : NaN;
  if (Number.isFinite(ms)) return ms;
  throw new TypeError(`last_modified: expected a time as 2026-01-31T12:00:00Z, found ${showValue(value)}`);
}

function invalid(uri: string, reason: string, cause?: unknown): Failure {
  return new Failure('KeyList.Invalid', `${uri}: ${reason}.`, { subject: uri, hint: HINT, cause });
}
