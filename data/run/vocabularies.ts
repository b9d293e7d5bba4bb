import { z } from 'zod';

/** One of the vocabularies that a tag run's images are scored against, and which of its scores are tags. */
export const runVocabularySchema = z.object({
  /** What rows call it; null: nothing, as it is the only one. */
  name: z.string().nullable(),
  /** Hash of the categories in the run's folder. */
  categories: z.string(),
  /** Hash of the graph in the run's folder; null: the model's own, and WordNet where that has no edges. */
  graph: z.string().nullable(),
  /** At most so many tags per image. */
  topK: z.int().positive().nullable(),
  /** The lowest written score that makes a tag, inclusive. */
  threshold: z.number().nullable(),
});

export type RunVocabulary = z.infer<typeof runVocabularySchema>;

/** Vocabularies of a run, by name in UTF-8 order: one of any or no name, or several that all have one. */
export const runVocabulariesSchema = z.array(runVocabularySchema).min(1);

/** What a run without graph, limits or a name asks of categories. */
export const soleVocabulary = (categories: string): RunVocabulary => ({
  name: null,
  categories,
  graph: null,
  topK: null,
  threshold: null,
});

/** Hashes of all vocabularies, as the metadata of parts has them. */
export const vocabularyHashes = (vocabularies: readonly RunVocabulary[]): string =>
  [...new Set(vocabularies.map(({ categories }) => categories))].join(',');
