/** Every way to write a compacted data set, as DuckDB reads it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readChain } from '../../data/chain/chain.ts';
import { compactParts, type WrittenPart } from '../../data/chain/compact.ts';
import type { CompactFormat } from '../../data/chain/compactRecord.ts';
import { fromHalves, toHalves } from '../../data/half.ts';
import { partitioning } from '../../data/chain/partition.ts';
import { rowsSql, viewSql, viewRunOf, type ViewRun } from '../../data/chain/viewSql.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { queryDuckDb, type Plain } from '../parquet/otherReaders.ts';
import { BAD, runInProcess } from '../support/runs/chainRuns.ts';

type PlainRow = Record<string, Plain>;

const FOLDERS = ['', 'a b/', '100%/', 'x=y/', 'naïve/deep/er/', "it's (1)*/", '2024/01/', '2024/02/'];
const IMAGES = 40;

let root: string;
let run: ObjectStore;
let current: PlainRow[];
beforeAll(async () => {
  // Wildcards in a folder's own name are its name.
  root = join(await mkdtemp(join(tmpdir(), 'c2srt-compact-')), 'a[b]c?');
  const source = openStore(join(root, 'images'));
  for (let i = 0; i < IMAGES; i++)
    await source.put(
      `${FOLDERS[i % FOLDERS.length]!}${String(i).padStart(3, '0')}.jpg`,
      `${i % 9 ? '' : BAD}image ${i}`,
    );
  run = openStore(join(root, 'run'));
  await runInProcess(source, run, { openStore, spec: { embedding: true, shardSize: 7 } });
  const chain = await readChain(run, openStore);
  current = await queryDuckDb('', `FROM (\n${viewSql(chain.map(viewRunOf))}\n) ORDER BY key`);
});
afterAll(() => rm(join(root, '..'), { recursive: true, force: true }));

let serial = 0;

async function compacted(
  format: Partial<CompactFormat>,
): Promise<{ parts: WrittenPart[]; view: ViewRun; glob: string }> {
  const output = openStore(join(root, `compact-${serial++}`));
  const parts = await compactParts(await readChain(run, openStore), output, {
    format: {
      layout: 'rows',
      partitionBy: null,
      partRows: 15,
      rowGroupRows: null,
      compression: 'snappy',
      embedding: 'fp32',
      ...format,
    },
    metadata: { run: 'r', model: 'm', vocabulary: 'v', scores: 'raw' },
    report: () => undefined,
  });
  const view = {
    id: 'c',
    uri: output.uri,
    hasParts: true,
    hasDeletions: false,
    isPartitioned: format.partitionBy !== undefined,
    sources: [openStore(join(root, 'images')).uri],
    isOfEarlierRelease: false,
  };
  const glob = join(fileURLToPath(output.uri), 'tags/**/*.parquet').replaceAll(/[[?]/g, '[$&]');
  return { parts, view, glob };
}

const tagsOf = (view: ViewRun): Promise<PlainRow[]> =>
  queryDuckDb('', `FROM (${rowsSql(view, 'tags')}) ORDER BY key`);
const tagColumns = [
  'key',
  'source',
  'version_id',
  'etag',
  'size_bytes',
  'last_modified',
  'width',
  'height',
  'tags',
  'embedding',
];
const only = (row: PlainRow, columns: readonly string[]): PlainRow =>
  Object.fromEntries(columns.map((name) => [name, row[name]!]));
const tagged = (): PlainRow[] =>
  current.filter(({ code }) => code === null).map((row) => only(row, tagColumns));

describe.each([
  ['as a run is', {}],
  ['zstd', { compression: 'zstd' }],
  ['small row groups', { rowGroupRows: 4 }],
  ['by folder', { partitionBy: 'prefix:1' }],
] as const)('%s', (_, format) => {
  test('gives the same rows', async () => {
    const { view, parts } = await compacted(format);
    expect((await tagsOf(view)).map((row) => only(row, tagColumns))).toEqual(tagged());
    const failures = await queryDuckDb(
      '',
      `SELECT key, code FROM (${rowsSql(view, 'failures')}) ORDER BY key`,
    );
    expect(failures).toEqual(
      current.filter(({ code }) => code !== null).map((row) => only(row, ['key', 'code'])),
    );
    expect(Math.max(...parts.map(({ rows }) => rows))).toBeLessThanOrEqual(15);
    expect((await compacted(format)).parts).toEqual(parts);
  });
});

test('labels are a dictionary, and the bounds of keys tell row groups apart', async () => {
  const { glob } = await compacted({ compression: 'zstd', rowGroupRows: 4 });
  const columns = await queryDuckDb(
    glob,
    `SELECT path_in_schema AS path, encodings, compression, stats_min_value AS low, stats_max_value AS high,
       row_group_num_rows AS rows
     FROM parquet_metadata($1) ORDER BY low`,
  );
  const keys = columns.filter(({ path }) => path === 'key');
  expect(keys.length).toBeGreaterThan(IMAGES / 8);
  for (const { rows } of keys) expect(Number(rows)).toBeLessThanOrEqual(4);
  for (const [i, { low }] of keys.slice(1).entries()) expect(keys[i]!['high']! < low!).toBe(true);
  expect(new Set(columns.map(({ compression }) => compression))).toEqual(new Set(['ZSTD']));

  const whole = await compacted({ partRows: 1000 });
  const labels = await queryDuckDb(
    whole.glob,
    "SELECT encodings FROM parquet_metadata($1) WHERE path_in_schema LIKE '%label'",
  );
  for (const { encodings } of labels) expect(encodings).toContain('RLE_DICTIONARY');
});

test('a row per tag: ranked, with Bloom filters by which readers skip row groups without a label', async () => {
  const { view, glob } = await compacted({ layout: 'long', rowGroupRows: 10 });
  const rows = await queryDuckDb('', `FROM (${rowsSql(view, 'tags')}) ORDER BY key, rank`);
  expect(rows).toEqual(
    tagged().flatMap(({ key, source, version_id, etag, tags }) =>
      (tags as { label: string; score: number }[]).map((tag, i) => ({
        key,
        source,
        version_id,
        etag,
        ...tag,
        rank: i + 1,
      })),
    ),
  );
  const excluded = (label: string): Promise<PlainRow[]> =>
    queryDuckDb(
      glob,
      `SELECT bool_and(bloom_filter_excludes) AS yes FROM parquet_bloom_probe($1, 'label', '${label}')`,
    );
  expect(await excluded('dof')).toEqual([{ yes: true }]);
  expect(await excluded('dog')).toEqual([{ yes: false }]);
});

test('embeddings of 16 bits are the nearest ones', async () => {
  const { view, glob } = await compacted({ embedding: 'fp16' });
  const nearest = (embedding: Plain): number[] => [
    ...fromHalves(toHalves(Float32Array.from(embedding as number[]))),
  ];
  expect(await tagsOf(view)).toEqual(
    tagged().map((row) => ({ ...row, embedding: nearest(row['embedding']!) })),
  );
  const types = await queryDuckDb(
    glob,
    "SELECT DISTINCT logical_type AS type FROM parquet_schema($1) WHERE type = 'FIXED_LEN_BYTE_ARRAY'",
  );
  expect(types).toEqual([{ type: 'Float16Type()' }]);
  const { view: without } = await compacted({ embedding: 'none' });
  expect(Object.keys((await tagsOf(without))[0]!)).not.toContain('embedding');
});

describe('partitions', () => {
  test.each([1, 2, 9])('are the first %i folders of the key, whatever their names', async (depth) => {
    const { view } = await compacted({ partitionBy: `prefix:${depth}` });
    for (const { key, prefix } of await tagsOf(view)) {
      const folders = (key as string).split('/').slice(0, -1).slice(0, depth).join('/');
      expect(typeof prefix === 'bigint' ? String(prefix) : (prefix ?? '')).toBe(folders);
    }
  });

  test("are what a regular expression's groups take from it, and a reader opens only those asked for", async () => {
    const { view, parts } = await compacted({ partitionBy: '^(?<year>\\d{4})/(?<month>\\d\\d)/' });
    const rows = await tagsOf(view);
    for (const { key, year, month } of rows) {
      const [, y, m] = /^(\d{4})\/(\d\d)\//.exec(key as string) ?? [];
      expect([year, month].map((value) => (value === null ? undefined : Number(value)))).toEqual(
        [y, m].map((value) => (value === undefined ? undefined : Number(value))),
      );
    }
    expect(parts.map(({ key }) => key)).toContain('tags/year=2024/month=01/part-000000.parquet');
    const plan = await queryDuckDb(
      '',
      `EXPLAIN ANALYZE SELECT key FROM (${rowsSql(view, 'tags')}) WHERE year = 2024 AND month = '02'`,
    );
    expect(plan[0]!['explain_value']).toMatch(/Scanning Files: 1\/\d/);
  });

  test.each([
    ['prefix:0', /names no folder/],
    ['(', /no regular expression/],
    ['(?<key>.)', /column of the rows/],
  ])('%s is refused', (text, message) => {
    expect(() => partitioning(text)).toThrow(message);
  });
});
