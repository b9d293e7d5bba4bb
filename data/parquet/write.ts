import type { DecodedArray, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { Failure } from '../failure.ts';
import { codecOptions, RUN_FORMAT, type PartFormat } from './partFormat.ts';
import {
  METADATA_KEYS,
  PART_SCHEMA_VERSION,
  TAG_FIELDS,
  failureSchema,
  longSchema,
  tagSchema,
  type FailureRow,
  type LongRow,
  type PartMetadata,
  type TagRow,
} from './tagRows.ts';

/**
 * Values of all columns in a row group. Writers and readers hold a nested column's values and levels as JS arrays while
 * they work on a row group: this bounds their memory to some hundred MB, however many tags the rows have.
 */
const ROW_GROUP_VALUES = 2_000_000;

const MAX_INT32 = 0x7fffffff;

/** A column as written: its name, how a row's value is found, and whether readers may ask which values it has not. */
type Column<Row> = readonly [name: string, value: (row: Row) => unknown, bloomFilter?: true];

const TAG_COLUMNS: readonly Column<TagRow>[] = [
  ['key', (row) => row.key],
  ['source', (row) => row.source],
  ['version_id', (row) => row.versionId],
  ['etag', (row) => row.etag],
  ['size_bytes', (row) => (row.sizeBytes === null ? null : BigInt(row.sizeBytes))],
  ['last_modified', (row) => (row.lastModifiedMs === null ? null : BigInt(Math.floor(row.lastModifiedMs)))],
  ['width', (row) => row.width],
  ['height', (row) => row.height],
  // + 0 turns -0 into 0: the dictionary cannot tell them apart, so which one was written would hang on the row before
  [
    'tags',
    (row) =>
      row.tags.map(({ label, score, rawScore, vocabulary }) => ({
        label,
        score: score + 0,
        raw_score: positiveZero(rawScore),
        vocabulary,
      })),
  ],
];

const positiveZero = (value: number | null): number | null => (value === null ? null : value + 0);

const EMBEDDING_COLUMN: Column<TagRow> = ['embedding', (row) => Array.from(row.embedding!, (x) => x + 0)];

const LONG_COLUMNS: readonly Column<LongRow>[] = [
  ['key', (row) => row.key],
  ['source', (row) => row.source],
  ['version_id', (row) => row.versionId],
  ['etag', (row) => row.etag],
  // Rows are in the order of keys, so bounds say nothing about labels.
  ['label', (row) => row.label, true],
  ['score', (row) => row.score + 0],
  ['raw_score', (row) => positiveZero(row.rawScore)],
  ['vocabulary', (row) => row.vocabulary],
  ['rank', (row) => row.rank],
];

const FAILURE_COLUMNS: readonly Column<FailureRow>[] = [
  ['key', (row) => row.key],
  ['source', (row) => row.source],
  ['version_id', (row) => row.versionId],
  ['etag', (row) => row.etag],
  ['code', (row) => row.code],
  ['message', (row) => wellFormed(row.message)],
  ['attempts', (row) => row.attempts],
];

/**
 * Encodes `rows` as a tags part: column statistics, dictionaries where they pay, the same bytes for the same rows and metadata.
 * Zero rows make a valid part with no row group.
 *
 * @param options.embedding whether the part has the `embedding` column; then every row needs one, all of one length.
 * @throws Failure `Output.InvalidRow` where a value cannot be written exactly (a score that is not finite, a key that is
 *   not valid Unicode, a missing embedding).
 */
export function encodeTagRows(
  rows: readonly TagRow[],
  options: { embedding: boolean; metadata: PartMetadata; format?: PartFormat },
): Uint8Array {
  const { embedding, metadata, format = RUN_FORMAT } = options;
  const dimension = embedding ? (rows[0]?.embedding?.length ?? 0) : 0;
  for (const row of rows) checkTagRow(row, embedding, dimension);
  return encode({
    rows,
    columns: embedding ? [...TAG_COLUMNS, EMBEDDING_COLUMN] : TAG_COLUMNS,
    schema: tagSchema(embedding, format.halfEmbedding),
    valueCount: (row) => TAG_COLUMNS.length + TAG_FIELDS.length * row.tags.length + dimension,
    metadata,
    format,
  });
}

/**
 * Encodes the tags of `rows` as a part with a row per tag, in their order, with a Bloom filter over the labels of each
 * row group; otherwise as {@link encodeTagRows}. Images without tags have no row.
 *
 * @throws Failure `Output.InvalidRow`
 */
export function encodeLongRows(
  rows: readonly TagRow[],
  { metadata, format }: { metadata: PartMetadata; format: PartFormat },
): Uint8Array {
  for (const row of rows) checkTagRow(row, false, 0);
  return encode({
    rows: longRows(rows),
    columns: LONG_COLUMNS,
    schema: longSchema(),
    valueCount: () => LONG_COLUMNS.length,
    metadata,
    format,
  });
}

/** A row per tag. */
export const longRows = (rows: readonly TagRow[]): LongRow[] =>
  rows.flatMap(({ key, source, versionId, etag, tags }) => {
    const ranks = new Map<string | null, number>();
    return tags.map((tag) => {
      const rank = (ranks.get(tag.vocabulary) ?? 0) + 1;
      ranks.set(tag.vocabulary, rank);
      return { key, source, versionId, etag, ...tag, rank };
    });
  });

/**
 * Encodes `rows` as a failures part; as {@link encodeTagRows}. What is not valid Unicode in a message is replaced by
 * U+FFFD.
 *
 * @throws Failure `Output.InvalidRow`
 */
export function encodeFailureRows(
  rows: readonly FailureRow[],
  options: { metadata: PartMetadata; format?: PartFormat },
): Uint8Array {
  for (const row of rows) {
    checkText(row.key, row.key, 'key');
    checkText(row.key, row.source, 'source');
    if (row.versionId !== null) checkText(row.key, row.versionId, 'versionId');
    if (row.etag !== null) checkText(row.key, row.etag, 'etag');
    checkText(row.key, row.code, 'code');
    checkInteger(row.key, row.attempts, 'attempts', MAX_INT32);
  }
  return encode({
    rows,
    columns: FAILURE_COLUMNS,
    schema: failureSchema(),
    valueCount: () => FAILURE_COLUMNS.length,
    metadata: options.metadata,
    format: options.format ?? RUN_FORMAT,
  });
}

function encode<Row>(part: {
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  schema: SchemaElement[];
  valueCount: (row: Row) => number;
  metadata: PartMetadata;
  format: PartFormat;
}): Uint8Array {
  const { rows, columns, schema, valueCount, metadata, format } = part;
  const groupRows = format.rowGroupRows ?? Infinity;
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    schema,
    ...codecOptions(format.compression),
    statistics: true,
    // Keys of one source share long prefixes: bounds cut to the default 16 bytes would tell no part from another.
    statisticsTruncateLength: Infinity,
    createdBy: 'c2srt',
    kvMetadata: [
      { key: METADATA_KEYS.schema, value: PART_SCHEMA_VERSION },
      { key: METADATA_KEYS.run, value: metadata.run },
      { key: METADATA_KEYS.model, value: metadata.model },
      { key: METADATA_KEYS.vocabulary, value: metadata.vocabulary },
      { key: METADATA_KEYS.scores, value: metadata.scores },
    ],
  });
  for (let start = 0; start < rows.length;) {
    let end = start;
    for (let values = 0; end < rows.length && values < ROW_GROUP_VALUES && end - start < groupRows; end++)
      values += valueCount(rows[end]!);
    const group = rows.slice(start, end);
    const columnData = columns.map(([name, value, bloomFilter = false]) => ({
      name,
      data: group.map(value) as DecodedArray,
      bloomFilter,
    }));
    sync(parquet.write({ columnData, rowGroupSize: group.length }));
    start = end;
  }
  sync(parquet.finish());
  return writer.getBytes().slice();
}

/** The writer is asynchronous only where its sink is; a ByteWriter is not. */
function sync(result: unknown): void {
  if (result !== undefined) throw new TypeError('hyparquet-writer went asynchronous on a ByteWriter');
}

function checkTagRow(row: TagRow, embedding: boolean, dimension: number): void {
  const { key } = row;
  checkText(key, key, 'key');
  checkText(key, row.source, 'source');
  if (row.versionId !== null) checkText(key, row.versionId, 'versionId');
  if (row.etag !== null) checkText(key, row.etag, 'etag');
  if (row.sizeBytes !== null) checkInteger(key, row.sizeBytes, 'sizeBytes', Number.MAX_SAFE_INTEGER);
  if (row.lastModifiedMs !== null && !Number.isFinite(row.lastModifiedMs))
    throw invalid(key, `lastModifiedMs is ${row.lastModifiedMs}`);
  checkInteger(key, row.width, 'width', MAX_INT32);
  checkInteger(key, row.height, 'height', MAX_INT32);
  for (const { label, score, rawScore, vocabulary } of row.tags) {
    checkText(key, label, 'label');
    if (vocabulary !== null) checkText(key, vocabulary, 'vocabulary');
    for (const value of [score, rawScore ?? 0])
      if (!Number.isFinite(Math.fround(value))) throw invalid(key, `the score of "${label}" is ${value}`);
  }
  if (!embedding) return;
  if (row.embedding?.length !== dimension || dimension === 0)
    throw invalid(
      key,
      `the embedding has ${row.embedding?.length ?? 0} numbers, the part's have ${dimension}`,
    );
  if (!row.embedding.every(Number.isFinite))
    throw invalid(key, 'the embedding has numbers that are not finite');
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function checkText(key: string, value: string, field: string): void {
  if (LONE_SURROGATE.test(value)) throw invalid(key, `${field} is not valid Unicode`);
}

function checkInteger(key: string, value: number, field: string, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw invalid(key, `${field} is ${value}`);
}

function wellFormed(message: string): string {
  return message.replace(/\p{Surrogate}/gu, '\ufffd');
}

function invalid(key: string, reason: string): Failure {
  return new Failure('Output.InvalidRow', `The row of ${JSON.stringify(key)} cannot be written: ${reason}.`, {
    subject: key,
  });
}
