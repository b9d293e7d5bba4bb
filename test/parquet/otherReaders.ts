import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DuckDBInstance,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { ParquetReader } from '@dsnp/parquetjs';
import type { FailureRow, TagRow } from '../../data/parquet/tagRows.ts';
import { pythonWith } from '../support/programs/python.ts';

/** A value in a form that all readers share: lists as arrays, 64-bit integers as bigint, instants as Date. */
export type Plain = null | boolean | number | bigint | string | Date | Plain[] | { [field: string]: Plain };

/** Rows as every reader should give them. */
export function plainRows(rows: readonly (TagRow | FailureRow)[]): Plain[] {
  return rows.map((row) => {
    const { key, source, versionId, ...rest } = row;
    const name = { key, source, version_id: versionId };
    if (!('tags' in row)) return { ...name, ...rest } as Plain;
    return {
      ...name,
      etag: row.etag,
      size_bytes: row.sizeBytes === null ? null : BigInt(row.sizeBytes),
      last_modified: row.lastModifiedMs === null ? null : new Date(Math.floor(row.lastModifiedMs)),
      width: row.width,
      height: row.height,
      tags: row.tags.map(({ rawScore, ...tag }) => ({ ...tag, raw_score: rawScore })),
      ...(row.embedding && { embedding: [...row.embedding] }),
    };
  });
}

/** Calls `use` with the path of a file that holds `bytes`, and removes it. */
export async function withFile<T>(bytes: Uint8Array, use: (path: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'c2srt-parquet-'));
  try {
    const path = join(folder, 'part.parquet');
    writeFileSync(path, bytes);
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs one query in a DuckDB of its own; `sql` gets the file's path as `$1`. */
export async function queryDuckDb(path: string, sql: string): Promise<Record<string, Plain>[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(sql.replaceAll('$1', `'${path.replaceAll("'", "''")}'`));
    return reader.getRowObjects().map((row) => plainDuckDb(row as never) as Record<string, Plain>);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function plainDuckDb(value: DuckDBValue | Record<string, DuckDBValue>): Plain {
  if (value instanceof DuckDBListValue) return value.items.map(plainDuckDb);
  if (value instanceof DuckDBStructValue) return plainFields(value.entries);
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return new Date(Number(value.micros / 1000n));
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return plainFields(value as Record<string, DuckDBValue>);
  return value as Plain;
}

function plainFields(fields: Readonly<Record<string, DuckDBValue>>): Plain {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plainDuckDb(value)]));
}

/** All rows through parquetjs, whose lists keep their two outer levels. */
export async function readWithParquetjs(bytes: Uint8Array): Promise<Plain[]> {
  const reader = await ParquetReader.openBuffer(Buffer.from(bytes));
  const cursor = reader.getCursor();
  const rows: Plain[] = [];
  for (let row; (row = await cursor.next()) !== null;) rows.push(withoutEnvelopes(row));
  return rows;
}

function withoutEnvelopes(value: unknown): Plain {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value as Plain;
  const fields = Object.entries(value);
  if (fields.length === 1 && fields[0]![0] === 'list')
    return ((fields[0]![1] ?? []) as { element: unknown }[]).map(({ element }) => withoutEnvelopes(element));
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutEnvelopes(field)]));
}

/** A Python that has pyarrow; undefined where there is no Python. */
export const pythonWithArrow = await pythonWith('pyarrow-26.0.1', 'a third Parquet reader', [
  'pyarrow==26.0.1',
]);

const READ_WITH_ARROW = `
import json, sys, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1])
def plain(v):
    if hasattr(v, "timestamp"): return {"ms": round(v.timestamp() * 1000)}
    if isinstance(v, list): return [plain(x) for x in v]
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    return v
f = pq.ParquetFile(sys.argv[1])
json.dump({"schema": [str(x.type) + ("" if x.nullable else " not null") for x in t.schema], "rows": [plain(r) for r in t.to_pylist()],
  "metadata": {k.decode(): v.decode() for k, v in (f.metadata.metadata or {}).items()}}, sys.stdout)
`;

/** Arrow's types of the columns, the rows, and the file's metadata. */
export function readWithArrow(
  python: string,
  path: string,
): { schema: string[]; rows: Plain[]; metadata: Record<string, string> } {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 30 } as const;
  const output = JSON.parse(execFileSync(python, ['-c', READ_WITH_ARROW, path], options)) as {
    schema: string[];
    rows: Record<string, unknown>[];
    metadata: Record<string, string>;
  };
  const rows = output.rows.map((row) => {
    const { size_bytes: size, last_modified: modified } = row;
    return {
      ...(row as Record<string, Plain>),
      ...(typeof size === 'number' && { size_bytes: BigInt(size) }),
      ...(typeof modified === 'object' &&
        modified !== null && { last_modified: new Date((modified as { ms: number }).ms) }),
    };
  });
  return { ...output, rows };
}
