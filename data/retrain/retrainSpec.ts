import { z } from 'zod';
import { evaluateSettingsSchema, gateSettingsSchema } from '../config/evaluateSchema.ts';
import { graphSettingsSchema } from '../config/graphSchema.ts';
import { trainSettingsSchema } from '../config/trainSchema.ts';
import { STAGES } from './stages.ts';

/** Everything that a retraining pipeline does, apart from its data's state and the model in production. */
export const retrainSpecSchema = z.object({
  /** Names the model below `models/` in the store. */
  name: z.string(),
  /** URI of the folder of artifacts, models and runs. */
  store: z.string(),
  /** Canonical URIs of the manifests: of images to train on, held back (null: a share of these), to compare on (null: those held back). */
  data: z.string(),
  validation: z.string().nullable(),
  test: z.string().nullable(),
  /** Hash of the categories in `_inputs/categories.json`. */
  vocabulary: z.string(),
  /** Hash of the graph in `_inputs/graph.json`, with graph provider `file`; else null. */
  graph: z.string().nullable(),
  /** URI of the model that training starts from, where that is not the one in production. */
  model: z.string(),
  startFrom: z.enum(['model', 'production']),
  alias: z.string(),
  /** Hours that a person has to approve a candidate; null: nobody is asked. */
  approvalHours: z.number().positive().nullable(),
  /** The stage from which on nothing is taken from earlier runs; null: everything that is there. */
  from: z.enum(STAGES).nullable(),
  /** What a published model tags; null: nothing. */
  tag: z
    .object({
      /** URI of the images. */
      source: z.string(),
      /** Hash of the categories in `_inputs/tagCategories.json`. */
      vocabulary: z.string(),
      /** URI of the folder below which the run gets its own. */
      out: z.string(),
      shardSize: z.int().positive(),
      maxBytes: z.int().positive(),
      maxPixels: z.int().positive(),
      decodeTimeoutMs: z.int().positive(),
    })
    .nullable(),
  settings: z.object({
    train: trainSettingsSchema,
    graph: graphSettingsSchema,
    evaluate: evaluateSettingsSchema,
    gate: gateSettingsSchema,
  }),
});

export type RetrainSpec = z.infer<typeof retrainSpecSchema>;
