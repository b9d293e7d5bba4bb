import { z } from 'zod';
import type { Counts } from './counts.ts';
import type { ObjectStore } from '../store/store.ts';
import { partKey, PART_KINDS, receiptKey, spooledPartKey, type PartKind } from './layout.ts';
import { putJsonOnce, readJsonIfThere } from '../store/json.ts';

const partSchema = z.object({
  rows: z.int().nonnegative(),
  sizeBytes: z.int().positive(),
  sha256: z.string(),
});

const receiptSchema = z.object({
  shard: z.int().nonnegative(),
  /** The attempt whose parts count. */
  attempt: z.string(),
  tags: partSchema,
  failures: partSchema,
  failuresByCode: z.record(z.string(), z.int()),
  /** What computed the rows: versions of the engine and decoder, provider, instruction set. */
  fingerprint: z.record(z.string(), z.string()),
});

/**
 * The one decision about a shard: which attempt's parts are its result. Put with If-None-Match, so that of any number
 * of attempts exactly one wins, and whoever comes later copies the winner's bytes.
 */
export type Receipt = z.infer<typeof receiptSchema>;

export async function readReceipt(output: ObjectStore, shard: number): Promise<Receipt | undefined> {
  return receiptSchema.optional().parse(await readJsonIfThere(output, receiptKey(shard)));
}

/** Puts the receipt, and returns the one that counts: this or, where another attempt was first, the other. */
export function commitReceipt(output: ObjectStore, receipt: Receipt): Promise<Receipt> {
  const { shard } = receipt;
  return putJsonOnce(output, receiptKey(shard), receipt, () => readReceipt(output, shard));
}

/** Copies the parts that a receipt names to their final keys. Every copier copies the same bytes, so any may, again. */
export async function publishParts(output: ObjectStore, { shard, attempt }: Receipt): Promise<void> {
  await Promise.all(
    PART_KINDS.map((kind: PartKind) =>
      output.copy(spooledPartKey(shard, attempt, kind), partKey(kind, shard)),
    ),
  );
}

/** What a shard's receipt says was done. */
export const countsOf = ({ tags, failures, failuresByCode }: Receipt): Counts => ({
  images: tags.rows + failures.rows,
  tagged: tags.rows,
  failuresByCode,
});
