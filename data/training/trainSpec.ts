import { z } from 'zod';
import { pretrainSettingsSchema, trainSettingsSchema } from '../config/trainSchema.ts';

/** What a training may share with others; null: it has its own. */
const shared = {
  /** URI of the folder whose `_snapshot/` it is trained on. */
  snapshot: z.string().nullable().default(null),
  /** URI of the folder that has features, by their hashes. */
  artifacts: z.string().nullable().default(null),
};

/** Everything that determines the model that a training run becomes, apart from the images' own bytes. */
export const trainSpecSchema = z.object({
  /** Canonical URI of the manifest. */
  data: z.string(),
  /** Canonical URI of the manifest of images held back; null: a share of `data`'s. */
  validation: z.string().nullable(),
  /** Hash of the categories in `_inputs/categories.json`. */
  vocabulary: z.string(),
  /** Hash of the graph in `_inputs/graph.json`; null: the starting model's own, else links from WordNet. */
  graph: z.string().nullable(),
  /** URI of the model folder that training starts from. */
  model: z.string(),
  ...shared,
  settings: trainSettingsSchema,
});

export type TrainSpec = z.infer<typeof trainSpecSchema>;

/** Everything that determines what a contrastive pre-training comes to, apart from the images' own bytes. */
export const pretrainSpecSchema = z.object({
  /** Canonical URIs of the manifests, as in {@link trainSpecSchema}. */
  data: z.string(),
  validation: z.string().nullable(),
  /** URI of the folder with the model's configuration, tokenizer and, to go on from them, weights. */
  model: z.string(),
  ...shared,
  settings: pretrainSettingsSchema,
});

export type PretrainSpec = z.infer<typeof pretrainSpecSchema>;
