import { CsvError, parse, type Info } from 'csv-parse/sync';
import type { Failure } from './failure.ts';

/** A CSV file with a header line. */
export interface CsvTable {
  /** Column names, trimmed. */
  header: string[];
  /** A row's cells by column name, as written; `line` is where the row ends, from 1. Missing last cells are absent. */
  rows: { line: number; cells: Map<string, string> }[];
}

/**
 * Reads a comma-separated file whose first line names its columns; empty lines are skipped.
 *
 * @param required columns that must be there.
 * @param invalid makes the failure to throw from a reason that names the line.
 */
export function readCsvTable(
  text: string,
  required: readonly string[],
  invalid: (reason: string, cause?: unknown) => Failure,
): CsvTable {
  let records: { info: Info; record: string[] }[];
  try {
    records = parse(text, {
      info: true,
      skip_empty_lines: true,
      relax_column_count: true,
    }) as unknown as typeof records;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid(error.message, error);
  }
  const header = (records[0]?.record ?? []).map((name) => name.trim());
  const missing = required.find((name) => !header.includes(name));
  if (missing !== undefined)
    throw invalid(
      `its first line is not a header with a column "${missing}" (it reads: ${header.join(', ') || 'nothing'})`,
    );
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(`it has two columns "${twice}"`);
  const rows = records.slice(1).map(({ info, record }) => {
    if (record.length > header.length)
      throw invalid(`line ${info.lines} has ${record.length} cells, the header ${header.length}`);
    return { line: info.lines, cells: new Map(record.map((cell, i) => [header[i]!, cell])) };
  });
  return { header, rows };
}
