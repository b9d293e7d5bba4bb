/** Figures of a range of categories, from which the whole is put together. */
import { z } from 'zod';
import { influencesKey, measuresKey } from '../../../data/evaluation/evaluateLayout.ts';
import { SYSTEMS, type System } from '../../../data/evaluation/systems.ts';
import { Failure } from '../../../data/failure.ts';
import { decodeSafetensors, encodeSafetensors, readFloats } from '../../../data/safetensors.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';

const taggingSchema = z.object({
  pairs: z.array(z.int()),
  scores: z.array(z.number()),
  positives: z.array(z.int()),
  hits: z.int(),
  tags: z.int(),
  present: z.int(),
});

const measuresSchema = z.object({
  categories: z.array(
    z.object({
      /** Images with a known label, and those that the category is present in. */
      known: z.int(),
      positives: z.int(),
      /** Average precision in [0, 1], and its variance. */
      systems: z.partialRecord(z.enum(SYSTEMS), z.object({ ap: z.number(), variance: z.number() })),
      /** By the candidate's calibration: right tags, and tags in all. */
      tagging: z.object({ hits: z.int(), tags: z.int() }).nullable(),
    }),
  ),
  /** By calibrated score, over the seen and over the unseen categories of the range; null without a calibration. */
  tagging: z.object({ seen: taggingSchema, unseen: taggingSchema }).nullable(),
});

export type Measures = z.infer<typeof measuresSchema>;
export type CategoryMeasures = Measures['categories'][number];

/** [2, N]: the images' influences on the average precisions of the seen, then of the unseen categories of a range. */
export type Influences = Map<System, Float32Array>;

export async function writeMeasures(
  output: ObjectStore,
  stripe: number,
  measures: Measures,
  influences: Influences,
): Promise<void> {
  const tensors = [...influences].map(([system, values]) => [
    system,
    { shape: [2, values.length / 2], values },
  ]);
  await output.put(
    influencesKey(stripe),
    encodeSafetensors(Object.fromEntries(tensors) as Parameters<typeof encodeSafetensors>[0]),
  );
  await output.put(measuresKey(stripe), JSON.stringify(measures), { contentType: 'application/json' });
}

export async function readMeasuresIfThere(
  output: ObjectStore,
  stripe: number,
): Promise<Measures | undefined> {
  return measuresSchema.optional().parse(await readJsonIfThere(output, measuresKey(stripe)));
}

/** Throws `Run.Incomplete`. */
export async function readMeasures(output: ObjectStore, stripe: number): Promise<Measures> {
  const measures = await readMeasuresIfThere(output, stripe);
  if (measures) return measures;
  const subject = output.describeKey(measuresKey(stripe));
  throw new Failure('Run.Incomplete', `${subject} is not there yet.`, { subject, retryable: true });
}

export async function readInfluences(output: ObjectStore, stripe: number): Promise<Influences> {
  const key = influencesKey(stripe);
  const { body } = await output.get(key);
  return new Map(
    [...decodeSafetensors(body, output.describeKey(key))].map(([system, tensor]) => [
      system as System,
      readFloats(tensor),
    ]),
  );
}
