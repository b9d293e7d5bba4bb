import { z } from 'zod';
import { Failure } from '../../../data/failure.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import { featuresReceiptKey } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';

const receiptSchema = z.object({
  images: z.int(),
  /** Images that could not be had, by their place in the piece. */
  failed: z.array(z.object({ place: z.int(), code: z.string() })),
  /** First byte of each tensor in the piece's file. */
  hiddenOffset: z.int(),
  globalOffset: z.int(),
  sizeBytes: z.int(),
});

/** A piece of features that is whole. */
export type FeaturesReceipt = z.infer<typeof receiptSchema>;

export async function readFeaturesReceipt(
  store: ObjectStore,
  hash: string,
  piece: number,
): Promise<FeaturesReceipt | undefined> {
  return receiptSchema.optional().parse(await readJsonIfThere(store, featuresReceiptKey(hash, piece)));
}

/** Throws `Run.Incomplete` where the piece is not there. */
export async function requireFeaturesReceipt(
  store: ObjectStore,
  hash: string,
  piece: number,
): Promise<FeaturesReceipt> {
  const receipt = await readFeaturesReceipt(store, hash, piece);
  if (receipt) return receipt;
  const subject = store.describeKey(featuresReceiptKey(hash, piece));
  throw new Failure('Run.Incomplete', `${subject} is not there: the features are not whole.`, {
    subject,
    hint: '`c2srt resume` makes what is missing.',
  });
}
