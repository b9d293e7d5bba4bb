import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse as parseStream, type Info, type Options } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import type { Failure } from './failure.ts';

/** A row's cells by column name, as written; `line` is where the row ends, from 1. Missing last cells are absent. */
export interface CsvRow {
  line: number;
  cells: Map<string, string>;
}

/** A CSV file with a header line. */
export interface CsvTable {
  /** Column names, trimmed. */
  header: string[];
  rows: CsvRow[];
}

/** Makes the failure to throw from a reason that names the line. */
export type InvalidCsv = (reason: string, cause?: unknown) => Failure;

interface CsvRecord {
  info: Info;
  record: string[];
}

const OPTIONS: Options = { info: true, skip_empty_lines: true, relax_column_count: true };

/** All rows of a piece are in memory at once, each many times its text. */
const PIECE_BYTES = 1 << 16;

/**
 * Reads a comma-separated file whose first line names its columns; empty lines are skipped.
 *
 * @param required columns that must be there.
 */
export function readCsvTable(text: string, required: readonly string[], invalid: InvalidCsv): CsvTable {
  let records: CsvRecord[];
  try {
    records = parse(text, OPTIONS) as unknown as CsvRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid(error.message, error);
  }
  const header = headerOf(records[0], required, invalid);
  return { header, rows: records.slice(1).map((record) => rowOf(record, header, invalid)) };
}

/**
 * The rows of {@link readCsvTable} as they are read: memory follows the longest row, not the file.
 *
 * @param columns names of the columns of a file without a header line
 */
export async function* streamCsvRows(
  text: AsyncIterable<string>,
  required: readonly string[],
  invalid: InvalidCsv,
  columns?: readonly string[],
): AsyncGenerator<CsvRow, void, undefined> {
  const parser = parseStream(OPTIONS);
  // The parser is destroyed with the error of whatever fails, so reading it says all there is to say.
  pipeline(Readable.from(pieces(text)), parser).catch(() => undefined);
  let header = columns;
  try {
    for await (const record of parser as AsyncIterable<CsvRecord>) {
      if (header === undefined) header = headerOf(record, required, invalid);
      else yield rowOf(record, header, invalid);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid(error.message, error);
  }
  if (header === undefined) headerOf(undefined, required, invalid);
}

async function* pieces(text: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const block of text) {
    const bytes = Buffer.from(block);
    for (let start = 0; start < bytes.length; start += PIECE_BYTES)
      yield bytes.subarray(start, start + PIECE_BYTES);
  }
}

function headerOf(first: CsvRecord | undefined, required: readonly string[], invalid: InvalidCsv): string[] {
  const header = (first?.record ?? []).map((name) => name.trim());
  const missing = required.find((name) => !header.includes(name));
  if (missing !== undefined)
    throw invalid(
      `its first line is not a header with a column "${missing}" (it reads: ${header.join(', ') || 'nothing'})`,
    );
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(`it has two columns "${twice}"`);
  return header;
}

function rowOf({ info, record }: CsvRecord, header: readonly string[], invalid: InvalidCsv): CsvRow {
  if (record.length > header.length)
    throw invalid(`line ${info.lines} has ${record.length} cells, the header ${header.length}`);
  return { line: info.lines, cells: new Map(record.map((cell, i) => [header[i]!, cell])) };
}
