import { z } from 'zod';
import { PREPARED } from '../../../data/evaluation/evaluateLayout.ts';
import { SYSTEMS } from '../../../data/evaluation/systems.ts';
import { Failure } from '../../../data/failure.ts';
import { putJsonOnce, readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { headSettingsSchema } from '../../../model/clip/config.ts';

/** Categories whose figures one activity computes: seconds of work on a hundred thousand images. */
const STRIPE_CATEGORIES = 512;

const scorerSchema = z.object({
  /** What it gives scores of: several without the model's head, by `trainingFree`, in their order. */
  systems: z.array(z.enum(SYSTEMS)).min(1),
  /** URI of the model folder, and its hash. */
  model: z.string(),
  hash: z.string(),
  /** Name of the vocabulary artifact. */
  vocabulary: z.string(),
  trainingFree: z.array(headSettingsSchema).nullable(),
});

export type ScorerPlan = z.infer<typeof scorerSchema>;

const preparedSchema = z.object({
  version: z.literal(1),
  plan: z.object({
    images: z.int(),
    validationImages: z.int(),
    shardSize: z.int(),
    stripes: z.int(),
  }),
  /** One session each; the first is the candidate's. */
  scorers: z.array(scorerSchema).min(1),
});

/** How an evaluation is cut up, and the models that it is of. */
export type Prepared = z.infer<typeof preparedSchema>;

export async function readPrepared(output: ObjectStore): Promise<Prepared | undefined> {
  return preparedSchema.optional().parse(await readJsonIfThere(output, PREPARED));
}

/** Throws `Run.Incomplete`. */
export async function requirePrepared(output: ObjectStore): Promise<Prepared> {
  const prepared = await readPrepared(output);
  if (prepared) return prepared;
  throw new Failure('Run.Incomplete', `${output.uri} is not prepared yet.`, { subject: output.uri });
}

/** Writes what was prepared; of several attempts the first one's counts. */
export const commitPrepared = (output: ObjectStore, prepared: Prepared): Promise<Prepared> =>
  putJsonOnce(output, PREPARED, prepared, () => readPrepared(output));

/** Shards of each snapshot. */
export const shardsOf = (
  { images, validationImages, shardSize }: Prepared['plan'],
  snapshot: 'test' | 'validation',
): { shards: number; shardSize: number } => ({
  shards: Math.ceil((snapshot === 'test' ? images : validationImages) / shardSize),
  shardSize,
});

/** Ranges of categories. */
export const stripesOf = (categories: number): number => Math.ceil(categories / STRIPE_CATEGORIES);

/** Categories [from, to) of a stripe. */
export const stripeRange = (stripe: number, categories: number): { from: number; to: number } => ({
  from: stripe * STRIPE_CATEGORIES,
  to: Math.min(categories, (stripe + 1) * STRIPE_CATEGORIES),
});
