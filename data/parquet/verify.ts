import { ParquetReader } from '@dsnp/parquetjs';
import { Failure, isFailure, messageOf } from '../failure.ts';
import type { FailureRow, TagRow } from './tagRows.ts';

/** A record as parquetjs assembles it; an empty list is `{ list: null }`. */
type PartRecord = { [column: string]: unknown; tags: { list: { element: TagRecord }[] | null } };

interface TagRecord {
  label: string;
  score: number;
  raw_score: number | null;
  vocabulary: string | null;
}

type PartRow = TagRow | FailureRow;

/** Leaves to read, as parquetjs wants them named; not the embedding's, see {@link verifyEmbeddings}. */
const TAG_LEAVES = [
  ...['key', 'source', 'version_id', 'etag', 'size_bytes', 'last_modified', 'width', 'height'].map(
    (column) => [column],
  ),
  ...['label', 'score', 'raw_score', 'vocabulary'].map((field) => ['tags', 'list', 'element', field]),
];
const FAILURE_LEAVES = ['key', 'source', 'version_id', 'etag', 'code', 'message', 'attempts'].map(
  (column) => [column],
);

/**
 * Reads a part that `encodeTagRows` or `encodeFailureRows` wrote back with a second Parquet library, and compares it
 * with the rows it was made of: their number, their order, every tag, every other value.
 *
 * @param rows of one kind; with embeddings where the part has them.
 * @throws Failure `Output.Unreadable` on any difference, naming the first.
 */
export async function verifyPart(bytes: Uint8Array, rows: readonly PartRow[]): Promise<void> {
  try {
    const reader = await ParquetReader.openBuffer(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    );
    const announced = Number(reader.getRowCount());
    if (announced !== rows.length)
      throw unreadable(`its footer announces ${announced} rows for ${rows.length}`);
    const cursor = reader.getCursor(rows[0] !== undefined && 'tags' in rows[0] ? TAG_LEAVES : FAILURE_LEAVES);
    let index = 0;
    for (let found; (found = (await cursor.next()) as PartRecord | null); index++) {
      const row = rows[index];
      if (row === undefined) throw unreadable(`it holds more than ${rows.length} rows`);
      const difference = differenceOf(found, row);
      if (difference !== undefined)
        throw unreadable(`row ${index} (${JSON.stringify(row.key)}): ${difference}`);
    }
    if (index !== rows.length) throw unreadable(`it holds ${index} rows for ${rows.length}`);
    await verifyEmbeddings(reader, rows);
  } catch (error) {
    if (isFailure(error)) throw error;
    throw unreadable(messageOf(error), error);
  }
}

/** What differs between a record and the row it was made of; undefined where nothing does. */
function differenceOf(found: PartRecord, row: PartRow): string | undefined {
  const differs = (column: string, expected: unknown): string | undefined => {
    const value = found[column];
    const same = Object.is(value instanceof Date ? value.getTime() : value, expected);
    return same ? undefined : `${column} is ${String(value)} for ${String(expected)}`;
  };
  const named =
    differs('key', row.key) ?? differs('source', row.source) ?? differs('version_id', row.versionId);
  if (!('tags' in row))
    return (
      named ??
      differs('etag', row.etag) ??
      differs('code', row.code) ??
      differs('message', row.message) ??
      differs('attempts', row.attempts)
    );
  const lastModified = row.lastModifiedMs === null ? null : Math.floor(row.lastModifiedMs);
  return (
    named ??
    differs('etag', row.etag) ??
    differs('size_bytes', row.sizeBytes === null ? null : BigInt(row.sizeBytes)) ??
    differs('last_modified', lastModified) ??
    differs('width', row.width) ??
    differs('height', row.height) ??
    tagDifference(found.tags.list ?? [], row)
  );
}

function tagDifference(found: { element: TagRecord }[], row: TagRow): string | undefined {
  if (found.length !== row.tags.length) return `it has ${found.length} tags for ${row.tags.length}`;
  const at = row.tags.findIndex(({ label, score, rawScore, vocabulary }, i) => {
    const { element } = found[i]!;
    return (
      element.label !== label ||
      element.score !== Math.fround(score) ||
      element.raw_score !== (rawScore === null ? null : Math.fround(rawScore)) ||
      element.vocabulary !== vocabulary
    );
  });
  return at < 0 ? undefined : `tag ${at} differs`;
}

/**
 * Compares the embeddings' values as one run of numbers per row group: assembling every number into a record, as the
 * cursor does, takes longer than tagging the image.
 */
async function verifyEmbeddings(reader: ParquetReader, rows: readonly PartRow[]): Promise<void> {
  const first = rows[0];
  if (first === undefined || !('tags' in first) || first.embedding === undefined) return;
  const dimension = first.embedding.length;
  let start = 0;
  for (const group of reader.metadata!.row_groups) {
    const column = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === 'embedding');
    if (column === undefined) throw unreadable('it has no embedding column');
    const { values = [] } = await reader.envelopeReader!.readColumnChunk(reader.schema, column);
    const end = start + Number(group.num_rows);
    if (values.length !== (end - start) * dimension)
      throw unreadable(
        `rows ${start} to ${end} have ${values.length} embedding numbers, not ${dimension} each`,
      );
    for (let index = start, at = 0; index < end; index++, at += dimension) {
      const { key, embedding } = rows[index] as TagRow;
      for (let i = 0; i < dimension; i++)
        if (values[at + i] !== embedding![i])
          throw unreadable(`row ${index} (${JSON.stringify(key)}): the embedding differs at ${i}`);
    }
    start = end;
  }
}

function unreadable(reason: string, cause?: unknown): Failure {
  return new Failure('Output.Unreadable', `A part just written does not read back: ${reason}.`, {
    hint: 'The part was not committed. If another attempt ends the same way, this is a bug: report it with the message.',
    retryable: true,
    cause,
  });
}
