/** Answers that outlive a run, by everything that was asked: other words, or another model, are other answers. */
import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { isFailure } from '../../data/failure.ts';
import { readAnswerFile, type Answer } from '../../data/graph/graphPlan.ts';
import type { GraphSettings } from '../../data/config/graphSchema.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { PROMPT_VERSION } from '../../model/graph/prompt.ts';
import type { NamedCategory } from '../../model/graph/wordSenses.ts';

/** Answers read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

const hash = (value: unknown, digits: number): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, digits);

const questionsFolder = ({ llm, relations, seed }: GraphSettings): string =>
  `${hash([PROMPT_VERSION, llm, [...relations].sort(), seed], 16)}/`;

const named = ({ name, aliases = [] }: NamedCategory): unknown => [name, aliases];

const categoryFolder = (category: NamedCategory): string => `${hash(named(category), 32)}/`;

/** The place of an answer about a category and those that it was asked about together with. */
export const cacheKey = (
  settings: GraphSettings,
  category: NamedCategory,
  candidates: readonly NamedCategory[],
): string => `${questionsFolder(settings)}${categoryFolder(category)}${hash(candidates.map(named), 32)}.json`;

/** All answers about the categories, whatever else they were asked about, in the order of their keys. */
export async function cachedAnswers(
  cache: ObjectStore,
  settings: GraphSettings,
  categories: readonly NamedCategory[],
): Promise<Answer[]> {
  const folder = questionsFolder(settings);
  const wanted = new Set(categories.map(categoryFolder));
  const keys: string[] = [];
  try {
    for await (const { key } of cache.list({ prefix: folder }))
      if (wanted.has(key.slice(folder.length).split('/', 1)[0]! + '/')) keys.push(key);
  } catch (error) {
    // Nobody has kept an answer in this folder yet.
    if (!isFailure(error, 'Store.NoBucket')) throw error;
  }
  return pMap(keys, (key) => readAnswerFile(cache, key), { concurrency: CONCURRENCY });
}
