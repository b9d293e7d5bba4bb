/**
 * The `graph` section of the configuration file: everything that decides what a category graph comes to, apart from its
 * categories, model and labels. docs/configuration.md is made from it.
 */
import { z } from 'zod';
import { EDGE_RELATIONS } from '../graphFile.ts';

const count = z.coerce.number().int().positive();

export const graphSettingsSchema = z
  .strictObject({
    provider: z
      .enum(['wordnet', 'llm', 'file'])
      .default('wordnet')
      .describe('Where relations come from: WordNet (offline), a language model, or `file`.'),
    file: z
      .string()
      .optional()
      .describe('Graph that a person edited, JSON or CSV, with `provider: file`. Default: none.'),
    llm: z
      .string()
      .optional()
      .describe("Name of the endpoint's language model, with `provider: llm`. Default: none."),
    seed: z.coerce
      .number()
      .int()
      .nonnegative()
      .default(0)
      .describe('Seed that the endpoint is given, where it takes one; the temperature is 0.'),
    relations: z
      .array(z.enum(EDGE_RELATIONS))
      .nonempty()
      .default([...EDGE_RELATIONS])
      .describe('Relations that a language model is asked for.'),
    candidates: count.max(200).default(24).describe('Categories on the shortlist of each one, at most.'),
    maxOutputTokens: count.default(2000).describe('The most tokens of an answer; a longer one is cut off.'),
  })
  .refine(({ provider, llm }) => provider !== 'llm' || llm !== undefined, {
    path: ['llm'],
    message: 'name the language model that `provider: llm` asks',
  })
  .refine(({ provider, file }) => provider !== 'file' || file !== undefined, {
    path: ['file'],
    message: 'name the file that `provider: file` takes the graph from',
  });

export type GraphSettings = z.infer<typeof graphSettingsSchema>;
