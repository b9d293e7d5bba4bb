import { streamCsvRows } from './csvTable.ts';
import { messageOf, type Failure } from './failure.ts';
import { readInfo, readRowGroups, type ParquetSource } from './parquet/read.ts';
import { MAX_LINE_BYTES, wholeLines, type LineBlock } from './dataset/wholeLines.ts';
import type { RangedObject } from './store/ranges.ts';

/** A row of a file of rows: its fields by name, and its place, from 1. */
export interface FileRecord {
  /** Line of a text file, row of a Parquet file. */
  at: number;
  fields: Readonly<Record<string, unknown>>;
}

/** A file of rows. */
export interface RecordFile {
  object: Pick<RangedObject, 'sizeBytes' | 'slice' | 'chunks'>;
  /** Its URI, for messages. */
  file: string;
  /** Makes the failure for what is wrong with the file; the reason names the line. */
  fail: (reason: string, cause?: unknown) => Failure;
  /** Makes the failure for a line that is not UTF-8, where that is another. */
  encoding?: (line: number) => Failure;
}

/** Columns that a file must have, and those that are read where it has them. */
export interface RecordColumns {
  required: readonly string[];
  optional: readonly string[];
}

/** What a row's `at` counts. */
export const placeOf = (format: 'text' | 'csv' | 'jsonl' | 'parquet', at: number): string =>
  `${format === 'parquet' ? 'row' : 'line'} ${at}`;

/**
 * The values of a file with one JSON value per line; blank lines are skipped.
 *
 * @param fieldsOf a value's fields; undefined for a value that has none, which is a failure naming `expected`
 */
export async function* readJsonlRecords(
  file: RecordFile,
  expected: string,
  fieldsOf: (value: unknown) => FileRecord['fields'] | undefined = objectFields,
): AsyncGenerator<FileRecord, void, undefined> {
  for await (const { at, text } of readLines(file)) {
    if (text.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw file.fail(`line ${at}: not valid JSON: ${messageOf(error)}`, error);
    }
    const fields = fieldsOf(value);
    if (fields === undefined) throw file.fail(`line ${at}: expected ${expected}`);
    yield { at, fields };
  }
}

/** The value of a line where it is an object. */
export function objectFields(value: unknown): FileRecord['fields'] | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The rows of a CSV file; without `header`, its first line names the columns. */
export async function* readCsvRecords(
  file: RecordFile,
  { required }: Pick<RecordColumns, 'required'>,
  header?: readonly string[],
): AsyncGenerator<FileRecord, void, undefined> {
  async function* text(): AsyncGenerator<string> {
    for await (const block of readLineBlocks(file)) yield block.text;
  }
  for await (const { line, cells } of streamCsvRows(text(), required, file.fail, header))
    yield { at: line, fields: Object.fromEntries(cells) };
}

/**
 * The rows of a Parquet file of any codec. Memory follows the largest row group of the columns.
 *
 * @throws Failure `Parquet.Unreadable`, `Parquet.MissingColumn`
 */
export async function* readParquetRecords(
  { object, file }: RecordFile,
  { required, optional }: RecordColumns,
): AsyncGenerator<FileRecord, void, undefined> {
  const source: Exclude<ParquetSource, Uint8Array> = {
    byteLength: object.sizeBytes,
    // hyparquet wants an ArrayBuffer of its own.
    slice: async (start, end) => Uint8Array.from(await object.slice(start, end)).buffer,
  };
  const known = (await readInfo(source, file)).columns;
  const columns = [...required, ...optional.filter((name) => known.includes(name))];
  let at = 0;
  for await (const group of readRowGroups(source, { columns, name: file }))
    for (const fields of group) yield { at: ++at, fields };
}

/** The lines of a UTF-8 file without their ends. */
export async function* readLines(
  file: RecordFile,
): AsyncGenerator<{ at: number; text: string }, void, undefined> {
  for await (const { text, line } of readLineBlocks(file)) {
    const lines = text.split('\n');
    // What follows the last line's end is no line.
    if (lines.at(-1) === '') lines.pop();
    for (const [index, one] of lines.entries()) yield { at: line + index, text: one };
  }
}

/** The lines of a UTF-8 file in blocks, each with its end. */
export function readLineBlocks({
  object,
  fail,
  encoding,
}: Omit<RecordFile, 'file'>): AsyncGenerator<LineBlock> {
  return wholeLines(object.chunks(), {
    encoding: encoding ?? ((line) => fail(`line ${line}: not valid UTF-8`)),
    tooLong: (line) => fail(`line ${line} is longer than ${MAX_LINE_BYTES >> 20} MiB`),
  });
}

/** A value as messages show it, shortened. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  const text = JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
