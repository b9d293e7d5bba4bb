import { z } from 'zod';
import { readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { PER_CATEGORY } from './evaluateLayout.ts';
import { SYSTEMS } from './systems.ts';

const categoryFiguresSchema = z.object({
  name: z.string(),
  split: z.enum(['seen', 'unseen']),
  /** Images whose label is known, and those that the category is present in. */
  known: z.int(),
  positives: z.int(),
  /** Average precision by system, and its standard error; percent. */
  ap: z.partialRecord(z.enum(SYSTEMS), z.object({ value: z.number(), error: z.number() })),
  /** By the calibration, in percent; null without one. Precision and recall are null where they are not defined. */
  tagging: z
    .object({ threshold: z.number(), precision: z.number().nullable(), recall: z.number().nullable() })
    .nullable(),
});

/** A line of `per_category.json`. */
export type CategoryFigures = z.infer<typeof categoryFiguresSchema>;

/** The figures of an evaluation's categories; undefined where its folder has none. */
export async function readPerCategory(output: ObjectStore): Promise<CategoryFigures[] | undefined> {
  const json = await readJsonIfThere(output, PER_CATEGORY);
  return json === undefined ? undefined : z.array(categoryFiguresSchema).parse(json);
}
