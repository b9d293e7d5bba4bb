import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../failure.ts';
import { fromHalves, toHalves } from '../half.ts';
import type { PartFormat } from './partFormat.ts';
import { readFailureRows, readRows, readTagRows, type ParquetRecord } from './read.ts';
import type { FailureRow, TagRow } from './tagRows.ts';
import { verifyPart } from './verify.ts';
import { longRows } from './write.ts';

export const LAYOUTS = ['rows', 'long'] as const;
/** A row per image with its tags as a list, or a row per tag. */
export type Layout = (typeof LAYOUTS)[number];

/**
 * Reads a part of any format back and compares it with the rows that it was made of: with the second library where that
 * one knows the format, with the reader of inputs otherwise.
 *
 * @throws Failure `Output.Unreadable` on any difference.
 */
export async function verifyFormat(
  bytes: Uint8Array,
  rows: readonly (TagRow | FailureRow)[],
  { compression, halfEmbedding }: PartFormat,
  layout: Layout,
): Promise<void> {
  const [first] = rows;
  const isTagged = first !== undefined && 'tags' in first;
  const isLong = isTagged && layout === 'long';
  if (compression === 'snappy' && !isLong && !(isTagged && first.embedding && halfEmbedding)) {
    await verifyPart(bytes, rows);
    return;
  }
  const tagged = rows as readonly TagRow[];
  const [found, expected] = !isTagged
    ? [await readFailureRows(bytes), rows]
    : isLong
      ? [(await readRows(bytes)).map(longRowOf), longRows(tagged.map(asWritten))]
      : [await readTagRows(bytes), tagged.map((row) => halved(asWritten(row), halfEmbedding))];
  const at = expected.findIndex((row, i) => !isDeepStrictEqual({ ...found[i] }, { ...row }));
  if (at < 0 && found.length === expected.length) return;
  throw new Failure(
    'Output.Unreadable',
    `A part just written does not read back: it holds ${found.length} rows for ${expected.length}${at < 0 ? '' : `, and row ${at} (${JSON.stringify(expected[at]!.key)}) differs`}.`,
    { hint: 'If another try ends the same way, this is a bug: report it with the message.' },
  );
}

/** A row as the writer has it: scores are 32-bit floats, and there is no negative zero. */
const asWritten = (row: TagRow): TagRow => ({
  ...row,
  lastModifiedMs: row.lastModifiedMs === null ? null : Math.floor(row.lastModifiedMs),
  tags: row.tags.map(({ score, rawScore, ...tag }) => ({
    ...tag,
    score: Math.fround(score) + 0,
    rawScore: rawScore === null ? null : Math.fround(rawScore) + 0,
  })),
  ...(row.embedding && { embedding: row.embedding.map((value) => value + 0) }),
});

const longRowOf = ({ version_id: versionId, raw_score: rawScore, ...row }: ParquetRecord): object => ({
  ...row,
  versionId,
  rawScore,
});

const halved = (row: TagRow, half: boolean): TagRow =>
  half && row.embedding ? { ...row, embedding: fromHalves(toHalves(row.embedding)) } : row;
