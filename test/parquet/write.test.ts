import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFailureRows, readInfo, readTagRows } from '../../data/parquet/read.ts';
import type { FailureRow, TagRow } from '../../data/parquet/tagRows.ts';
import { verifyPart } from '../../data/parquet/verify.ts';
import { encodeFailureRows, encodeTagRows } from '../../data/parquet/write.ts';
import {
  plainRows,
  pythonWithArrow,
  queryDuckDb,
  readWithArrow,
  readWithParquetjs,
  withFile,
} from './otherReaders.ts';
import { METADATA, failureRow, plainTagRows, tagRow } from './rows.ts';

const encode = (rows: TagRow[], embedding = false): Uint8Array =>
  encodeTagRows(rows, { embedding, metadata: METADATA });

/** What an uncalibrated tag of an unnamed vocabulary has. */
const OTHERS = { rawScore: null, vocabulary: null };

const HEAD = [
  ['key', 'VARCHAR'],
  ['source', 'VARCHAR'],
  ['version_id', 'VARCHAR'],
  ['etag', 'VARCHAR'],
  ['size_bytes', 'BIGINT'],
  ['last_modified', 'TIMESTAMP WITH TIME ZONE'],
  ['width', 'INTEGER'],
  ['height', 'INTEGER'],
  ['tags', 'STRUCT("label" VARCHAR, score FLOAT, raw_score FLOAT, vocabulary VARCHAR)[]'],
];

async function describeWithDuckDb(path: string): Promise<unknown[]> {
  const columns = await queryDuckDb(path, 'DESCRIBE SELECT * FROM read_parquet($1)');
  return columns.map(({ column_name, column_type }) => [column_name, column_type]);
}

describe('a tags part', () => {
  it.each([
    ['without embedding', undefined],
    ['with embedding', 3],
  ])('holds the same rows for DuckDB, parquetjs, hyparquet and the verifier, %s', async (_, dimension) => {
    await fc.assert(
      fc.asyncProperty(fc.array(tagRow(dimension), { maxLength: 30 }), async (rows) => {
        const bytes = encode(rows, dimension !== undefined);
        const expected = plainRows(rows);
        await verifyPart(bytes, rows);
        expect(await readWithParquetjs(bytes)).toEqual(expected);
        expect(await readTagRows(bytes)).toEqual(rows);
        await withFile(bytes, async (path) => {
          expect(await queryDuckDb(path, 'SELECT * FROM read_parquet($1)')).toEqual(expected);
        });
      }),
      { numRuns: 40 },
    );
  });

  it.skipIf(pythonWithArrow === undefined)(
    'holds the same rows, types and metadata for pyarrow',
    async () => {
      const [rows] = fc.sample(fc.array(tagRow(4), { minLength: 60, maxLength: 60, size: 'max' }), {
        numRuns: 1,
        seed: 7,
      });
      await withFile(encode(rows!, true), (path) => {
        const read = readWithArrow(pythonWithArrow!, path);
        expect(read.rows).toEqual(plainRows(rows!));
        expect(read.schema).toEqual([
          'string not null',
          'string not null',
          'string',
          'string',
          'int64',
          'timestamp[ms, tz=UTC]',
          'int32 not null',
          'int32 not null',
          'list<element: struct<label: string not null, score: float not null, raw_score: float, vocabulary: string> not null> not null',
          'list<element: float not null> not null',
        ]);
        expect(read.metadata).toMatchObject({ 'c2srt.run': METADATA.run });
      });
    },
  );

  it('has the documented types, with rows and without', async () => {
    const withEmbedding = [...HEAD, ['embedding', 'FLOAT[]']];
    const [row] = plainTagRows(1, 2, 2);
    for (const [bytes, columns] of [
      [encode([]), HEAD],
      [encode([row!]), HEAD],
      [encode([], true), withEmbedding],
      [encode([{ ...row!, embedding: Float32Array.of(0.5) }], true), withEmbedding],
    ] as const)
      expect(await withFile(bytes, describeWithDuckDb)).toEqual(columns);
  });

  it('of zero rows reads as zero rows everywhere', async () => {
    const bytes = encode([]);
    await verifyPart(bytes, []);
    expect(await readTagRows(bytes)).toEqual([]);
    expect(await readWithParquetjs(bytes)).toEqual([]);
    expect(await withFile(bytes, (path) => queryDuckDb(path, 'SELECT * FROM read_parquet($1)'))).toEqual([]);
  });

  it('names its run, model and vocabulary, and says what its scores are', async () => {
    expect((await readInfo(encode([]))).metadata).toEqual({
      'c2srt.schema': '3',
      'c2srt.run': METADATA.run,
      'c2srt.model': METADATA.model,
      'c2srt.vocabulary': METADATA.vocabulary,
      'c2srt.scores': METADATA.scores,
    });
  });

  it('of 100,000 rows is the same for all, in several row groups with statistics on the key', async () => {
    const rows = plainTagRows(100_000, 10, 500);
    const bytes = encode(rows);
    await verifyPart(bytes, rows);
    expect(await readTagRows(bytes)).toEqual(rows);
    await withFile(bytes, async (path) => {
      const read = await queryDuckDb(
        path,
        `SELECT count(*) AS n, count(DISTINCT key) AS keys, sum(len(tags)) AS tags,
           bool_and(size_bytes = 1000 + row) AS in_order FROM (SELECT *, file_row_number AS row
           FROM read_parquet($1, file_row_number = true))`,
      );
      expect(read).toEqual([{ n: 100_000n, keys: 100_000n, tags: 1_000_000n, in_order: true }]);
      const groups = await queryDuckDb(
        path,
        `SELECT stats_min_value AS min, stats_max_value AS max FROM parquet_metadata($1)
           WHERE path_in_schema = 'key' ORDER BY row_group_id`,
      );
      expect(groups.length).toBeGreaterThan(1);
      expect(groups[0]!['min']).toBe(rows[0]!.key);
      expect(groups.at(-1)!['max']).toBe(rows.at(-1)!.key);
    });
  });

  it('bounds its row groups however long the tag lists are', async () => {
    const rows = plainTagRows(140, 7586, 7586);
    const bytes = encode(rows);
    expect((await readInfo(bytes)).rowGroups).toBe(3);
    await verifyPart(bytes, rows);
    const read = await withFile(bytes, (path) =>
      queryDuckDb(path, 'SELECT min(len(tags)) AS low, max(len(tags)) AS high FROM read_parquet($1)'),
    );
    expect(read).toEqual([{ low: 7586n, high: 7586n }]);
  });

  it('is the same bytes for the same rows', () => {
    fc.assert(
      fc.property(fc.array(tagRow(), { maxLength: 20 }), (rows) => {
        expect(encode(structuredClone(rows))).toEqual(encode(rows));
      }),
      { numRuns: 30 },
    );
  });

  it('keeps float32 scores to the bit, -0 as 0', async () => {
    const scores = [1, Math.fround(0.1), 2 ** -149, -Math.fround(0.3), 3.4028234663852886e38, 0];
    const tags = scores.map((score, i) => ({ ...OTHERS, label: `l${i}`, score, rawScore: score }));
    const [row] = plainTagRows(1, 0, 1);
    const read = await readTagRows(
      encode([{ ...row!, tags: [...tags, { ...OTHERS, label: 'm', score: -0, rawScore: -0 }] }]),
    );
    expect(read[0]!.tags.map(({ score }) => score)).toEqual([...scores, 0]);
    expect(read[0]!.tags.map(({ rawScore }) => rawScore)).toEqual([...scores, 0]);
  });

  it.each<[string, Partial<TagRow>]>([
    ['a score that is not a number', { tags: [{ ...OTHERS, label: 'x', score: NaN }] }],
    ['a score beyond float32', { tags: [{ ...OTHERS, label: 'x', score: 1e39 }] }],
    ['a raw score that is not a number', { tags: [{ ...OTHERS, label: 'x', score: 1, rawScore: NaN }] }],
    ['a key that is not valid Unicode', { key: 'a\ud800' }],
    ['a width that is not an integer', { width: 1.5 }],
    ['a negative size', { sizeBytes: -1 }],
    ['an embedding of another length', { embedding: Float32Array.of(1, 2) }],
    ['an embedding that is not finite', { embedding: Float32Array.of(Infinity) }],
  ])('refuses %s', (_, change) => {
    const row = { ...plainTagRows(1, 1, 1)[0]!, embedding: Float32Array.of(1) };
    expect(() => encode([row, { ...row, ...change }], true)).toThrow(
      expect.objectContaining({ code: 'Output.InvalidRow' }),
    );
  });
});

describe('a failures part', () => {
  const encodeFailures = (rows: FailureRow[]): Uint8Array => encodeFailureRows(rows, { metadata: METADATA });

  it('holds the same rows for all readers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(failureRow, { maxLength: 30 }), async (rows) => {
        const bytes = encodeFailures(rows);
        await verifyPart(bytes, rows);
        expect(await readWithParquetjs(bytes)).toEqual(plainRows(rows));
        expect(await readFailureRows(bytes)).toEqual(rows);
        await withFile(bytes, async (path) => {
          expect(await queryDuckDb(path, 'SELECT * FROM read_parquet($1)')).toEqual(plainRows(rows));
        });
      }),
      { numRuns: 30 },
    );
  });

  it('has the documented types', async () => {
    expect(await withFile(encodeFailures([]), describeWithDuckDb)).toEqual([
      ['key', 'VARCHAR'],
      ['source', 'VARCHAR'],
      ['version_id', 'VARCHAR'],
      ['etag', 'VARCHAR'],
      ['code', 'VARCHAR'],
      ['message', 'VARCHAR'],
      ['attempts', 'INTEGER'],
    ]);
  });

  it('replaces what is not valid Unicode in a message', async () => {
    const row = {
      key: 'k',
      source: 's',
      versionId: null,
      etag: null,
      code: 'Image.Corrupt',
      message: 'cut \ud83d',
      attempts: 1,
    };
    expect((await readFailureRows(encodeFailures([row])))[0]!.message).toBe('cut \ufffd');
  });
});
