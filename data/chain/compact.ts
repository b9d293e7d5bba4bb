import { createHash } from 'node:crypto';
import { verifyFormat } from '../parquet/verifyFormat.ts';
import { RUN_FORMAT, type PartFormat } from '../parquet/partFormat.ts';
import type { FailureRow, PartMetadata, TagRow } from '../parquet/tagRows.ts';
import { encodeFailureRows, encodeLongRows, encodeTagRows } from '../parquet/write.ts';
import type { ObjectStore } from '../store/store.ts';
import type { ChainRun } from './chain.ts';
import { currentRows } from './currentRows.ts';
import { shardName } from '../run/layout.ts';
import { PartBuffers } from './partBuffers.ts';
import { partitioning, UNPARTITIONED } from './partition.ts';
import type { CompactFormat } from './compactRecord.ts';

/** A part as a manifest lists it. */
export interface WrittenPart {
  key: string;
  /** Images, or failures. */
  rows: number;
  sizeBytes: number;
  sha256: string;
}

export interface CompactOptions {
  format: CompactFormat;
  metadata: PartMetadata;
  /** Told after every part. */
  report(part: WrittenPart): void;
}

/**
 * Numbers of an embedding that the rows of a part may have together, some 64 MiB: parts of wide rows end earlier than
 * others, since a part is made in memory.
 */
const PART_EMBEDDING_VALUES = 16_000_000;

/**
 * Writes what a chain of runs, oldest first, has come to as parts of one data set, in UTF-8 byte order of source and key.
 * The same chain and format give the same parts, so whoever was interrupted starts over. Memory is a few parts, and two
 * per run.
 *
 * @throws Failure `Output.Unreadable` where a part does not read back as it was written.
 */
export async function compactParts(
  chain: readonly ChainRun[],
  output: ObjectStore,
  { format, metadata, report }: CompactOptions,
): Promise<WrittenPart[]> {
  const { layout, partRows } = format;
  // A part has embeddings in every row or in none, so every run must have them.
  const embedding =
    layout === 'rows' && format.embedding !== 'none' && chain.every(({ record }) => record.spec.embedding);
  const partFormat: PartFormat = { ...format, halfEmbedding: format.embedding === 'fp16' };
  const encodeTagged = (rows: readonly TagRow[]): Uint8Array =>
    layout === 'long'
      ? encodeLongRows(rows, { metadata, format: partFormat })
      : encodeTagRows(rows, { embedding, metadata, format: partFormat });

  const parts: WrittenPart[] = [];
  const numbers = new Map<string, number>();
  const put = async (
    folder: string,
    bytes: Uint8Array,
    rows: readonly (TagRow | FailureRow)[],
  ): Promise<void> => {
    const number = numbers.get(folder) ?? 0;
    numbers.set(folder, number + 1);
    const key = `${folder}part-${shardName(number)}.parquet`;
    await output.put(key, bytes);
    const { body } = await output.get(key);
    await verifyFormat(body, rows, partFormat, layout);
    const sha256 = createHash('sha256').update(body).digest('hex');
    parts.push({ key, rows: rows.length, sizeBytes: body.length, sha256 });
    report(parts.at(-1)!);
  };

  const { folderOf } = format.partitionBy === null ? UNPARTITIONED : partitioning(format.partitionBy);
  const tagged = new PartBuffers<TagRow>(
    ({ embedding: vector }) => 1 / partRows + (vector?.length ?? 0) / PART_EMBEDDING_VALUES,
    (folder, rows) => put(folder, encodeTagged(rows), rows),
  );
  const failed = new PartBuffers<FailureRow>(
    () => 1 / partRows,
    (folder, rows) => put(folder, encodeFailureRows(rows, { metadata, format: partFormat }), rows),
  );
  for await (const row of currentRows(chain)) {
    if ('failed' in row) await failed.add('failures/', row.failed);
    else {
      const { embedding: _, ...others } = row.tagged;
      await tagged.add(`tags/${folderOf(row.key)}`, embedding ? row.tagged : others);
    }
  }
  await tagged.flush();
  await failed.flush();
  // A data set has a part of either kind at least, so that readers find the columns.
  const has = (folder: string): boolean => parts.some(({ key }) => key.startsWith(folder));
  if (!has('tags/')) await put('tags/', encodeTagged([]), []);
  if (!has('failures/')) await put('failures/', encodeFailureRows([], { metadata, format: RUN_FORMAT }), []);
  return parts;
}
