import { createHash } from 'node:crypto';
import { verifyPart } from '../parquet/verify.ts';
import type { FailureRow, PartMetadata, TagRow } from '../parquet/tagRows.ts';
import { encodeFailureRows, encodeTagRows } from '../parquet/write.ts';
import type { ObjectStore } from '../store/store.ts';
import type { ChainRun } from './chain.ts';
import { currentRows } from './currentRows.ts';
import { partKey, type PartKind } from './layout.ts';

/** A part as a manifest lists it. */
export interface WrittenPart {
  key: string;
  rows: number;
  sizeBytes: number;
  sha256: string;
}

export interface CompactOptions {
  /** Rows of a part at most. */
  partRows: number;
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
 * Writes what a chain of runs, oldest first, has come to as parts of one data set, in UTF-8 byte order of the keys.
 * The same chain gives the same parts, so whoever was interrupted starts over. Memory is a part of each kind, and two
 * per run.
 *
 * @throws Failure `Output.Unreadable` where a part does not read back as it was written.
 */
export async function compactParts(
  chain: readonly ChainRun[],
  output: ObjectStore,
  { partRows, metadata, report }: CompactOptions,
): Promise<WrittenPart[]> {
  // Only where every run has embeddings can a part.
  const embedding = chain.every(({ record }) => record.spec.embedding);
  const parts: WrittenPart[] = [];
  const numbers: Record<PartKind, number> = { tags: 0, failures: 0 };
  const put = async (
    kind: PartKind,
    bytes: Uint8Array,
    rows: readonly (TagRow | FailureRow)[],
  ): Promise<void> => {
    const key = partKey(kind, numbers[kind]++);
    await output.put(key, bytes);
    const { body } = await output.get(key);
    await verifyPart(body, rows);
    const sha256 = createHash('sha256').update(body).digest('hex');
    parts.push({ key, rows: rows.length, sizeBytes: body.length, sha256 });
    report(parts.at(-1)!);
  };

  let tagged: TagRow[] = [];
  let failed: FailureRow[] = [];
  const flushTagged = async (): Promise<void> => {
    await put('tags', encodeTagRows(tagged, { embedding, metadata }), tagged);
    tagged = [];
  };
  const flushFailed = async (): Promise<void> => {
    await put('failures', encodeFailureRows(failed, { metadata }), failed);
    failed = [];
  };
  for await (const row of currentRows(chain)) {
    if ('failed' in row) {
      if (failed.push(row.failed) >= partRows) await flushFailed();
      continue;
    }
    const { embedding: vector, ...others } = row.tagged;
    const length = tagged.push(embedding && vector ? row.tagged : others);
    const values = embedding ? length * (vector?.length ?? 0) : 0;
    if (length >= partRows || values >= PART_EMBEDDING_VALUES) await flushTagged();
  }
  // A data set has a part of either kind at least, so that readers find the columns.
  if (tagged.length > 0 || numbers.tags === 0) await flushTagged();
  if (failed.length > 0 || numbers.failures === 0) await flushFailed();
  return parts;
}
