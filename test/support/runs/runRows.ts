import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { MANIFEST, PART_KINDS, SPOOL, SUCCESS, type PartKind } from '../../../data/run/layout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { queryDuckDb, readWithParquetjs, type Plain } from '../../parquet/otherReaders.ts';
import type { Expected } from '../corpus.ts';

export type Row = Record<string, Plain> & { key: string };

/** All rows of a run by kind, in the order of the parts, as parquetjs reads them. */
export async function readRows(output: ObjectStore): Promise<Record<PartKind, Row[]>> {
  const rows: Record<PartKind, Row[]> = { tags: [], failures: [] };
  for (const kind of PART_KINDS) {
    for await (const { key } of output.list({ prefix: `${kind}/` })) {
      const { body } = await output.get(key);
      rows[kind].push(...((await readWithParquetjs(body)) as Row[]));
    }
  }
  return rows;
}

/** Checks that a run is finished and accounts for every key exactly once, with the code that was to come of it. */
export async function expectAccounted(
  output: ObjectStore,
  expected: Expected,
  prefix = '',
): Promise<Record<PartKind, Row[]>> {
  const rows = await readRows(output);
  const outcomes = [
    ...rows.tags.map(({ key }) => [key, null] as const),
    ...rows.failures.map(({ key, code }) => [key, code] as const),
  ];
  expect(new Map(outcomes)).toEqual(new Map([...expected].map(([key, code]) => [prefix + key, code])));
  expect(outcomes).toHaveLength(expected.size);
  expect(await output.head(SUCCESS)).toBeDefined();
  const { body } = await output.get(MANIFEST);
  const manifest = JSON.parse(Buffer.from(body).toString()) as { counts: unknown; parts: { rows: number }[] };
  expect(manifest.counts).toMatchObject({ images: expected.size, tagged: rows.tags.length });
  expect(manifest.parts.reduce((sum, part) => sum + part.rows, 0)).toBe(expected.size);
  for await (const { key } of output.list({ prefix: SPOOL })) throw new Error(`the spool still has ${key}`);
  return rows;
}

/** All rows of a run as DuckDB reads them, from copies of the parts in `dir`. */
export async function queryRows(output: ObjectStore, kind: PartKind, dir: string): Promise<Row[]> {
  for await (const { key } of output.list({ prefix: `${kind}/` })) {
    const { body } = await output.get(key);
    await writeFile(join(dir, key.replace('/', '-')), body);
  }
  const parts = join(dir, `${kind}-part-*.parquet`);
  return (await queryDuckDb(
    parts,
    `select * exclude (filename, file_row_number)
     from read_parquet($1, filename = true, file_row_number = true) order by filename, file_row_number`,
  )) as Row[];
}
