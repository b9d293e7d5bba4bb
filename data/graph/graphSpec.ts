import { z } from 'zod';
import { graphSettingsSchema } from '../config/graphSchema.ts';

/** Everything that determines what a run of kind `graph` comes to, apart from what a language model answers. */
export const graphSpecSchema = z.object({
  /** Hash of the categories in `_inputs/categories.json`. */
  vocabulary: z.string(),
  /**
   * URI of the model folder whose text features choose what a language model is asked, or whose graph is extended; null
   * where neither is done.
   */
  model: z.string().nullable(),
  /**
   * Whether the graph is the model's own with links for the categories that it lacks: those that the model was not
   * trained on and that its graph does not link. Else it links all categories, and their `split` says which are seen.
   */
  extend: z.boolean(),
  /** Hash of the graph in `_inputs/graph.json`, with provider `file`. */
  graph: z.string().nullable(),
  /**
   * URI of the folder whose `_snapshot/train/` has the training labels of these categories, in their order: what
   * co-occurrence is counted in, with provider `wordnet`; null: none is.
   */
  snapshot: z.string().nullable(),
  /** URI of the folder of answers that runs share; null: those of this run are its own. */
  cache: z.string().nullable(),
  settings: graphSettingsSchema,
});

export type GraphSpec = z.infer<typeof graphSpecSchema>;
