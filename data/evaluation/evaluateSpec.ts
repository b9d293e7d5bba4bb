import { z } from 'zod';
import { evaluateSettingsSchema } from '../config/evaluateSchema.ts';

/** Everything that determines an evaluation's figures, apart from the images' own bytes. */
export const evaluateSpecSchema = z.object({
  /** Canonical URI of the manifest of the images to test on, or of the folder of a snapshot of them (its `index.json`). */
  test: z.string(),
  /** The same of the images that the calibration is fitted on; null: none is fitted. */
  validation: z.string().nullable(),
  /** Hash of the categories in `_inputs/categories.json`, which are all scored. */
  vocabulary: z.string(),
  /** Hash of the graph in `_inputs/graph.json`; null: each model's own, as tagging takes it. */
  graph: z.string().nullable(),
  /** URI of the model folder that is evaluated: the candidate. */
  model: z.string(),
  /** URI of the model in use, on the same images; null: there is none. */
  production: z.string().nullable(),
  /** URI of the checkpoint that the baselines run on; null: the candidate's own encoder. */
  base: z.string().nullable(),
  settings: evaluateSettingsSchema,
});

export type EvaluateSpec = z.infer<typeof evaluateSpecSchema>;
