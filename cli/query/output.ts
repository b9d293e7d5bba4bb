import type { PlainValue } from './plainValue.ts';

/** Writes rows as they come; `end` says how many there were. */
export interface RowOutput {
  rows(rows: readonly PlainValue[][]): void;
  end(): void;
}

export const FORMATS = ['table', 'json', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** Rows of a table that are shown on a terminal; the others are counted. */
const SHOWN_ROWS = 100;
/** Characters of a cell that are shown. */
const SHOWN_CHARACTERS = 60;

/** What prints rows with these columns to `write`. */
export function rowOutput(
  format: Format,
  columns: readonly string[],
  write: (text: string) => void,
): RowOutput {
  return { table: tableOutput, json: jsonOutput, csv: csvOutput }[format](columns, write);
}

/** One JSON array of objects, a line each. */
function jsonOutput(columns: readonly string[], write: (text: string) => void): RowOutput {
  let before = '[';
  return {
    rows(rows) {
      for (const row of rows) {
        write(`${before}\n${JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, row[i]])))}`);
        before = ',';
      }
    },
    end: () => write(before === '[' ? '[]\n' : '\n]\n'),
  };
}

/** RFC 4180 with line feeds: a header, values quoted where they need it, lists and structs as JSON, null as nothing. */
function csvOutput(columns: readonly string[], write: (text: string) => void): RowOutput {
  const line = (cells: readonly PlainValue[]): void =>
    write(`${cells.map((cell) => quotedCell(textOf(cell))).join(',')}\n`);
  line(columns);
  return { rows: (rows) => rows.forEach(line), end: () => undefined };
}

const quotedCell = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function tableOutput(columns: readonly string[], write: (text: string) => void): RowOutput {
  const shown: string[][] = [[...columns]];
  let count = 0;
  return {
    rows(rows) {
      for (const row of rows)
        if (count++ < SHOWN_ROWS) shown.push(row.map((cell) => shortened(textOf(cell))));
    },
    end() {
      const widths = columns.map((_, column) => Math.max(...shown.map((cells) => cells[column]!.length)));
      for (const cells of shown)
        write(
          `${cells
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join('  ')
            .trimEnd()}\n`,
        );
      if (count > SHOWN_ROWS) write(`... and ${count - SHOWN_ROWS} more rows; --json and --csv print all.\n`);
    },
  };
}

const textOf = (value: PlainValue): string =>
  value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

function shortened(text: string): string {
  const oneLine = text.replaceAll(/\s/g, ' ');
  return oneLine.length > SHOWN_CHARACTERS ? `${oneLine.slice(0, SHOWN_CHARACTERS - 1)}…` : oneLine;
}
