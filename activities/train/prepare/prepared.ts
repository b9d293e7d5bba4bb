/** What preparing a training decides, in the run's folder. */
import { z } from 'zod';
import { Failure, isFailure } from '../../../data/failure.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import { PREPARED, SNAPSHOTS } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { headSettingsSchema } from '../../../model/clip/config.ts';

const planSchema = z.object({
  images: z.int(),
  validationImages: z.int(),
  shards: z.int(),
  rounds: z.int(),
  steps: z.int(),
  localSteps: z.int(),
  batchSize: z.int(),
  validateEvery: z.int(),
  patience: z.int().nullable(),
});

const rankingSchema = z.object({
  head: headSettingsSchema,
  headShape: z.object({ layers: z.int(), heads: z.int(), hidden: z.int().optional() }).nullable(),
  /** The seen categories, by their indices in the run's categories. */
  seen: z.array(z.int()),
  /** Among the run's categories: [source, target, relation, strength]. */
  edges: z.array(z.tuple([z.int(), z.int(), z.int(), z.number()])),
  microBatch: z.int(),
  /** Those that are kept; the others are computed as they are needed. */
  features: z.array(
    z.object({
      hash: z.string(),
      snapshot: z.enum(SNAPSHOTS),
      images: z.int(),
      pieces: z.int(),
      pieceImages: z.int(),
      sizeBytes: z.number(),
    }),
  ),
});

const contrastiveSchema = z.object({
  /** Tokens of the longest caption and of the longest mention, start and end included. */
  captionTokens: z.int(),
  mentionTokens: z.int(),
});

const preparedSchema = z.object({
  version: z.literal(1),
  /** Hash of the model folder that training starts from. */
  model: z.string(),
  fingerprint: z.record(z.string(), z.string()),
  plan: planSchema,
  /** Of a training. */
  ranking: rankingSchema.optional(),
  /** Of a pre-training. */
  contrastive: contrastiveSchema.optional(),
});

export type Prepared = z.infer<typeof preparedSchema>;
export type PreparedRanking = z.infer<typeof rankingSchema>;

/** Undefined where the run is not prepared yet. */
export async function readPrepared(output: ObjectStore): Promise<Prepared | undefined> {
  return preparedSchema.optional().parse(await readJsonIfThere(output, PREPARED));
}

/** Throws `Run.Incomplete` where the run is not prepared yet. */
export async function requirePrepared(output: ObjectStore): Promise<Prepared> {
  const prepared = await readPrepared(output);
  if (prepared) return prepared;
  const subject = output.describeKey(PREPARED);
  throw new Failure('Run.Incomplete', `${subject} is not there yet.`, { subject });
}

/** Puts what was prepared where there is nothing; returns what counts. */
export async function commitPrepared(output: ObjectStore, prepared: Prepared): Promise<Prepared> {
  try {
    await output.put(PREPARED, JSON.stringify(prepared, null, 1), {
      ifNoneMatch: '*',
      contentType: 'application/json',
    });
    return prepared;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    return requirePrepared(output);
  }
}
