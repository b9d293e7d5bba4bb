import pMap from 'p-map';
import { z } from 'zod';
import type { ObjectStore } from '../store/store.ts';
import { readJson, readJsonIfThere } from '../store/json.ts';
import { failedImagesSchema, mergeFailed, NO_FAILED_IMAGES, type FailedImages } from './failedImages.ts';
import { mergeReceiptKey, PREPARED, ROUNDS, roundOfKey, validationKey } from './trainLayout.ts';

/** Receipts read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

const planSchema = z.object({
  images: z.int(),
  shards: z.int(),
  rounds: z.int(),
  /** Of each shard, in all rounds together and in each but the last. */
  steps: z.int(),
  localSteps: z.int(),
});

const unread = { unread: failedImagesSchema.default(NO_FAILED_IMAGES) };

const roundSchema = z.object({ round: z.int(), loss: z.number(), images: z.int(), seconds: z.number() });

const validationSchema = z.object({
  round: z.int(),
  images: z.int(),
  score: z.number(),
  metrics: z.record(z.string(), z.record(z.string(), z.number())),
});

/** The course of a training so far. */
export interface TrainCourse {
  /** How it is cut up; null until it is prepared. */
  plan: z.infer<typeof planSchema> | null;
  /** Merged rounds, in order. */
  rounds: z.infer<typeof roundSchema>[];
  /** In the order of rounds; round 0 is the starting model. */
  validations: z.infer<typeof validationSchema>[];
  /** Images that could not be read: over all merged rounds, and in the last validation. */
  unread: { training: FailedImages; validation: FailedImages };
}

/** The course of a training, read from the receipts in its folder. */
export async function readTrainCourse(output: ObjectStore): Promise<TrainCourse> {
  const merged: number[] = [];
  const validated: number[] = [];
  for await (const { key } of output.list({ prefix: ROUNDS })) {
    const round = roundOfKey(key);
    if (round === undefined) continue;
    if (key === mergeReceiptKey(round)) merged.push(round);
    if (key === validationKey(round)) validated.push(round);
  }
  const readAll = <T>(rounds: number[], keyOf: (round: number) => string, schema: z.ZodType<T>) =>
    pMap(
      rounds.sort((a, b) => a - b),
      async (round) => schema.parse(await readJson(output, keyOf(round))),
      { concurrency: CONCURRENCY },
    );
  const rounds = await readAll(merged, mergeReceiptKey, roundSchema.extend(unread));
  const validations = await readAll(validated, validationKey, validationSchema.extend(unread));
  return {
    plan: await readPlan(output),
    rounds: rounds.map(({ unread: _, ...round }) => round),
    validations: validations.map(({ unread: _, ...validation }) => validation),
    unread: {
      training: mergeFailed(rounds.map((round) => round.unread)),
      validation: validations.at(-1)?.unread ?? NO_FAILED_IMAGES,
    },
  };
}

async function readPlan(output: ObjectStore): Promise<TrainCourse['plan']> {
  const prepared = z
    .object({ plan: planSchema })
    .optional()
    .parse(await readJsonIfThere(output, PREPARED));
  return prepared?.plan ?? null;
}
