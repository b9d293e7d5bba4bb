import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../data/failure.ts';
import {
  readFailureRows,
  readInfo,
  readRowGroups,
  readRows,
  readTagRows,
  type ParquetRecord,
} from '../../data/parquet/read.ts';
import { queryDuckDb } from './otherReaders.ts';
import { plainTagRows } from './rows.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);
const BROKEN = new URL('fixtures/broken/', import.meta.url);

const parquetFiles = (folder: URL): string[] =>
  readdirSync(folder).filter((name) => name.endsWith('.parquet'));

async function collect(groups: AsyncIterable<ParquetRecord[]>): Promise<ParquetRecord[][]> {
  const all: ParquetRecord[][] = [];
  for await (const group of groups) all.push(group);
  return all;
}

// A file in fixtures/ is a test: what other writers wrote must read as DuckDB reads it.
describe.each(parquetFiles(FIXTURES))('%s', (name) => {
  const bytes = new Uint8Array(readFileSync(new URL(name, FIXTURES)));
  const path = new URL(name, FIXTURES).pathname;

  it('reads as DuckDB reads it', async () => {
    expect(await readRows(bytes)).toEqual(await queryDuckDb(path, 'SELECT * FROM read_parquet($1)'));
  });

  it('reads by row group, and the columns asked for', async () => {
    const { rows, rowGroups, columns } = await readInfo(bytes);
    const column = columns[0]!;
    const groups = await collect(readRowGroups(bytes, { columns: [column] }));
    expect(groups.length).toBe(rowGroups);
    expect(groups.flat().length).toBe(rows);
    for (const row of groups.flat()) expect(Object.keys(row)).toEqual([column]);
  });
});

describe.each(parquetFiles(BROKEN))('broken/%s', (name) => {
  it('is refused by name', async () => {
    const bytes = new Uint8Array(readFileSync(new URL(name, BROKEN)));
    await expect(readRows(bytes, { name })).rejects.toEqual(
      expect.objectContaining({ code: 'Parquet.Unreadable', subject: name }),
    );
  });
});

describe('a source that reads ranges', () => {
  const bytes = new Uint8Array(readFileSync(new URL('arrow-zstd.parquet', FIXTURES)));
  const source = (slice: (start: number, end?: number) => Promise<ArrayBuffer>) => ({
    byteLength: bytes.byteLength,
    slice,
  });

  it('is read a row group at a time, and only the columns asked for', async () => {
    const asked: [number, number][] = [];
    const groups = readRowGroups(
      source((start, end = bytes.length) => {
        asked.push([start, end]);
        return Promise.resolve(Uint8Array.from(bytes.subarray(start, end)).buffer);
      }),
      { columns: ['key'] },
    );
    await groups.next();
    const first = asked.slice(1);
    const read = first.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(bytes.length / 3);
    await groups.next();
    expect(asked.length).toBeGreaterThan(1 + first.length);
    await groups.return();
  });

  it('keeps its own failures', async () => {
    const down = new Failure('Store.Unavailable', 'down', { retryable: true });
    await expect(readRows(source(() => Promise.reject(down)))).rejects.toBe(down);
  });
});

it('names the columns there are where one is missing', async () => {
  const bytes = new Uint8Array(readFileSync(new URL('arrow-snappy.parquet', FIXTURES)));
  await expect(readRows(bytes, { columns: ['Key'], name: 'list.parquet' })).rejects.toEqual(
    expect.objectContaining({
      code: 'Parquet.MissingColumn',
      message: 'list.parquet has no column "Key".',
      hint: 'Its columns are: key, size, last_modified, etag, labels.',
    }),
  );
});

it('reads parts of runs whose tags were a label and a score', async () => {
  const part = new Uint8Array(readFileSync(new URL('schema-2-tags.parquet', FIXTURES)));
  expect(await readTagRows(part)).toEqual(plainTagRows(3, 2, 5));
});

it('reads parts of runs that had one source and did not name it', async () => {
  const read = (name: string) => new Uint8Array(readFileSync(new URL(name, FIXTURES)));
  const source = 's3://bucket/photos';
  const rows = plainTagRows(3, 2, 5).map((row) => ({ ...row, source, versionId: null }));
  expect(await readTagRows(read('schema-1-tags.parquet'), 'part', source)).toEqual(rows);
  expect(await readFailureRows(read('schema-1-failures.parquet'), 'part', source)).toEqual([
    { key: 'a.jpg', source, versionId: null, etag: 'e', code: 'Image.Corrupt', message: 'm', attempts: 1 },
  ]);
});
