import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
} from 'hyparquet';
import { compressors as codecs } from 'hyparquet-compressors';
import { Failure, isFailure, messageOf } from '../failure.ts';
import type { FailureRow, TagRow } from './tagRows.ts';

/** LZ4 makes one byte of an empty page, such as one of empty lists, and the decoder takes that for a broken block. */
const compressors: Compressors = Object.fromEntries(
  Object.entries(codecs).map(([name, decompress]) => [
    name,
    (input: Uint8Array, sizeBytes: number) =>
      sizeBytes === 0 ? new Uint8Array() : decompress(input, sizeBytes),
  ]),
);

/** A Parquet file: its bytes, or something that reads ranges of it (`slice(start, end)`, end exclusive). */
export type ParquetSource = Uint8Array | AsyncBuffer;

/** A row as read: INT64 as bigint, timestamps as Date, lists as arrays, absent values as null. */
export type ParquetRecord = Record<string, unknown>;

export interface ReadOptions {
  /** Top-level columns to read; all where it is missing. */
  columns?: readonly string[];
  /** The file's name in messages. */
  name?: string;
}

/** What the footer says. */
export interface ParquetInfo {
  rows: number;
  rowGroups: number;
  /** Names of the top-level columns. */
  columns: string[];
  /** The file's key-value metadata. */
  metadata: Record<string, string>;
}

/**
 * Reads the footer.
 *
 * @throws Failure `Parquet.Unreadable`
 */
export async function readInfo(source: ParquetSource, name = 'the Parquet file'): Promise<ParquetInfo> {
  return infoOf(await footer(asyncBuffer(source), name));
}

/**
 * Reads all rows, of any codec (Snappy, ZSTD, LZ4, GZIP, Brotli) and encoding that hyparquet knows.
 *
 * @throws Failure `Parquet.Unreadable`, `Parquet.MissingColumn`
 */
export async function readRows(source: ParquetSource, options: ReadOptions = {}): Promise<ParquetRecord[]> {
  const rows: ParquetRecord[] = [];
  for await (const group of readRowGroups(source, options)) for (const row of group) rows.push(row);
  return rows;
}

/**
 * Reads a file one row group at a time: memory follows the largest row group of the chosen columns, not the file.
 *
 * @throws Failure `Parquet.Unreadable`, `Parquet.MissingColumn`
 */
export async function* readRowGroups(
  source: ParquetSource,
  options: ReadOptions = {},
): AsyncGenerator<ParquetRecord[], void, undefined> {
  const { columns, name = 'the Parquet file' } = options;
  const file = asyncBuffer(source);
  const metadata = await footer(file, name);
  const known = infoOf(metadata).columns;
  const missing = columns?.find((column) => !known.includes(column));
  if (missing !== undefined)
    throw new Failure('Parquet.MissingColumn', `${name} has no column "${missing}".`, {
      subject: name,
      hint: `Its columns are: ${known.join(', ')}.`,
    });
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const range = {
      file,
      metadata,
      compressors,
      rowStart,
      rowEnd,
      ...(columns && { columns: [...columns] }),
    };
    const rows = await orUnreadable(name, () => parquetReadObjects(range));
    if (rows.length !== rowEnd - rowStart)
      throw new Failure('Parquet.Unreadable', `${name} announces ${rowEnd} rows and holds fewer.`, {
        subject: name,
      });
    yield rows;
    rowStart = rowEnd;
  }
}

/** A tag as hyparquet assembles it. */
interface TagRecord {
  label: string;
  score: number;
  /** Of schema 3 on. */
  raw_score?: number | null;
  vocabulary?: string | null;
}

/** Columns that parts of schema 1 lack: their runs had one source, and read no version by name. */
const SINCE_SCHEMA_2 = ['source', 'version_id'];

/**
 * Reads a tags part back as it was given to `encodeTagRows`.
 *
 * @param source that of a part of schema 1, which does not say
 * @throws Failure `Parquet.Unreadable`, `Parquet.MissingColumn`
 */
export async function readTagRows(part: ParquetSource, name?: string, source = ''): Promise<TagRow[]> {
  const records = await readRows(part, name === undefined ? {} : { name });
  return records.map((record) => {
    const { size_bytes: sizeBytes, last_modified: lastModified, embedding } = record;
    return {
      key: record['key'] as string,
      source: (record['source'] as string | undefined) ?? source,
      versionId: (record['version_id'] as string | null | undefined) ?? null,
      etag: record['etag'] as string | null,
      sizeBytes: sizeBytes === null ? null : Number(sizeBytes),
      lastModifiedMs: lastModified === null ? null : (lastModified as Date).getTime(),
      width: record['width'] as number,
      height: record['height'] as number,
      tags: (record['tags'] as TagRecord[]).map(
        ({ label, score, raw_score: rawScore = null, vocabulary = null }) => ({
          label,
          score,
          rawScore,
          vocabulary,
        }),
      ),
      ...(embedding !== undefined && { embedding: Float32Array.from(embedding as number[]) }),
    };
  });
}

/**
 * Reads a failures part back as it was given to `encodeFailureRows`.
 *
 * @param source that of a part of schema 1, which does not say
 * @throws Failure `Parquet.Unreadable`, `Parquet.MissingColumn`
 */
export async function readFailureRows(
  part: ParquetSource,
  name?: string,
  source = '',
): Promise<FailureRow[]> {
  const known = (await readInfo(part, name)).columns;
  const columns = [
    'key',
    'etag',
    'code',
    'message',
    'attempts',
    ...SINCE_SCHEMA_2.filter((column) => known.includes(column)),
  ];
  const records = await readRows(part, { columns, ...(name !== undefined && { name }) });
  return records.map(({ key, source: own, version_id: versionId, ...rest }) => ({
    key,
    source: own ?? source,
    versionId: versionId ?? null,
    ...rest,
  })) as unknown as FailureRow[];
}

function asyncBuffer(source: ParquetSource): AsyncBuffer {
  if (!(source instanceof Uint8Array)) return source;
  return {
    byteLength: source.byteLength,
    // A copy of the range: hyparquet wants an ArrayBuffer of its own.
    slice: (start, end) => Uint8Array.from(source.subarray(start, end)).buffer,
  };
}

function footer(file: AsyncBuffer, name: string): Promise<FileMetaData> {
  return orUnreadable(name, () => parquetMetadataAsync(file));
}

function infoOf(metadata: FileMetaData): ParquetInfo {
  return {
    rows: Number(metadata.num_rows),
    rowGroups: metadata.row_groups.length,
    columns: parquetSchema(metadata).children.map((child) => child.element.name),
    metadata: Object.fromEntries(
      (metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? '']),
    ),
  };
}

/** Failures of the source itself (a store that is down) pass; what hyparquet cannot make sense of is the file's. */
async function orUnreadable<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isFailure(error)) throw error;
    throw new Failure('Parquet.Unreadable', `${name} cannot be read as Parquet: ${messageOf(error)}`, {
      subject: name,
      cause: error,
    });
  }
}
