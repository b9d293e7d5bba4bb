import { z } from 'zod';
import { Failure, isFailure } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { COMPRESSIONS } from '../parquet/partFormat.ts';
import { LAYOUTS } from '../parquet/verifyFormat.ts';
import { COMPACT_RECORD } from '../run/layout.ts';

/** What becomes of the runs' embeddings. */
export const EMBEDDINGS = ['fp32', 'fp16', 'none'] as const;

const formatSchema = z.object({
  layout: z.enum(LAYOUTS),
  /** As `partitioning` takes it; null: one folder. */
  partitionBy: z.string().nullable(),
  /** Images, or failures, of a part at most. */
  partRows: z.int().positive(),
  rowGroupRows: z.int().positive().nullable(),
  compression: z.enum(COMPRESSIONS),
  embedding: z.enum(EMBEDDINGS),
});

/** How a compacted data set is written. */
export type CompactFormat = z.infer<typeof formatSchema>;

const compactRecordSchema = z.object({
  version: z.literal(1),
  /** URIs of the images' sources, and how they are read. */
  sources: z.array(z.string()).min(1),
  unsigned: z.boolean(),
  requesterPays: z.boolean(),
  /** The runs that it is the current view of, oldest first. */
  runs: z.array(z.object({ id: z.string(), output: z.string() })).min(1),
  format: formatSchema,
});

/** What a compacted data set is of: what determines its rows and its parts. */
export type CompactRecord = z.infer<typeof compactRecordSchema>;

/** The record of a compacted data set; undefined where the folder holds none. Throws `Run.Invalid`. */
export async function readCompactRecord(output: ObjectStore): Promise<CompactRecord | undefined> {
  let body: Uint8Array;
  try {
    ({ body } = await output.get(COMPACT_RECORD));
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return undefined;
    throw error;
  }
  try {
    return compactRecordSchema.parse(JSON.parse(Buffer.from(body).toString()));
  } catch (cause) {
    throw new Failure(
      'Run.Invalid',
      `${output.describeKey(COMPACT_RECORD)} is not the record of a data set.`,
      {
        subject: output.describeKey(COMPACT_RECORD),
        hint: 'Choose another --out: this folder belongs to something else.',
        cause,
      },
    );
  }
}

/** Makes `record` what the folder is of, or, where it is of something already, returns that. */
export async function claimCompactFolder(output: ObjectStore, record: CompactRecord): Promise<CompactRecord> {
  try {
    await output.put(COMPACT_RECORD, JSON.stringify(record, null, 2), {
      ifNoneMatch: '*',
      contentType: 'application/json',
    });
    return record;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    return (await readCompactRecord(output)) ?? record;
  }
}
