import { headOf, lemmasOf, wordsOf } from './nounForms.ts';
import type { WordnetDatabase } from './wordnetDatabase.ts';

/** A category that is looked up in WordNet. */
export interface NamedCategory {
  name: string;
  /** Other words for the same category. */
  aliases?: readonly string[];
}

export interface CategorySenses {
  /** How likely each synset is meant, in (0, 1]. */
  synsets: ReadonlyMap<number, number>;
  /** The synsets are those of the head noun of a compound that WordNet lacks: the category is a kind of them. */
  kindOf: boolean;
}

/** By rank among a word's senses; rarer ones are not considered. */
const RANK_WEIGHTS = [1, 0.5, 0.25];

/** Of a sense that Princeton's sense-tagged texts lack although they have another one of the word. */
const UNATTESTED_WEIGHT = 0.5;

/** Of a person in a word for an animal, plant or food: mostly a figure of speech (fox, pig, peach). */
const FIGURATIVE_WEIGHT = 0.5;

/** Lexicographer files (lexnames(5WN)). */
const FIELD = { animal: 5, food: 13, person: 18, plant: 20 } as const;

/**
 * The synsets that a category may mean; undefined where WordNet knows neither its name, nor an alias, nor a head noun.
 *
 * - A word stands for its first three senses, weighing 1, 1/2, 1/4; those that sense-tagged texts lack, half of that.
 *   Things with a name of their own come after kinds of things (crane: the bird before Stephen Crane), and persons in a
 *   word for an animal, plant or food (fox, pig, peach) weigh half.
 * - Where the name and an alias share synsets, these are meant, and weigh 1, whatever their rank: "mouse" that is also a
 *   "computer mouse" is not the animal. Else both count.
 * - Failing all that, the longest known end of a compound (see {@link CategorySenses.kindOf}): a red apple is an apple.
 */
export function categorySenses(
  { name, aliases = [] }: NamedCategory,
  wordnet: WordnetDatabase,
): CategorySenses | undefined {
  const named = allSenses(wordsOf(name), wordnet);
  const others = aliases.map((alias) => allSenses(wordsOf(alias), wordnet));
  const shared = (named?.order ?? []).filter((synset) =>
    others.some((other) => other?.order.includes(synset)),
  );
  if (shared.length > 0) return { synsets: new Map(shared.map((synset) => [synset, 1])), kindOf: false };

  const known = [named, ...others].filter((senses) => senses !== undefined);
  if (known.length > 0) return { synsets: merge(known, wordnet), kindOf: false };

  const heads = headSenses(wordsOf(name), wordnet);
  return heads && { synsets: merge([heads], wordnet), kindOf: true };
}

interface WordSenses {
  /** All its synsets, the likeliest first. */
  order: number[];
  attested: ReadonlySet<number>;
}

function allSenses(words: readonly string[], wordnet: WordnetDatabase): WordSenses | undefined {
  if (words.length === 0) return undefined;
  for (const lemma of lemmasOf(words)) {
    const senses = wordnet.senses(lemma);
    if (senses === undefined) continue;
    const { synsets, attested } = senses;
    const isInstance = (synset: number) => wordnet.synset(synset).instance;
    return {
      order: [...synsets.filter((synset) => !isInstance(synset)), ...synsets.filter(isInstance)],
      // where texts have no sense of the word at all, they say nothing
      attested: new Set(attested === 0 ? synsets : synsets.slice(0, attested)),
    };
  }
  return undefined;
}

function headSenses(words: readonly string[], wordnet: WordnetDatabase): WordSenses | undefined {
  const phrase = words.slice(0, headOf(words) + 1);
  // the whole name is unknown, but of "tray of red apples" so far only that
  for (let start = phrase.length === words.length ? 1 : 0; start < phrase.length; start++) {
    const senses = allSenses(phrase.slice(start), wordnet);
    if (senses !== undefined) return senses;
  }
  return undefined;
}

function merge(known: readonly WordSenses[], wordnet: WordnetDatabase): Map<number, number> {
  const weights = new Map<number, number>();
  for (const { order, attested } of known) {
    const first = wordnet.synset(order[0]!).field;
    const figurative = first === FIELD.animal || first === FIELD.plant || first === FIELD.food;
    for (const [rank, synset] of order.slice(0, RANK_WEIGHTS.length).entries()) {
      const weight =
        RANK_WEIGHTS[rank]! *
        (attested.has(synset) ? 1 : UNATTESTED_WEIGHT) *
        (figurative && wordnet.synset(synset).field === FIELD.person ? FIGURATIVE_WEIGHT : 1);
      weights.set(synset, Math.max(weight, weights.get(synset) ?? 0));
    }
  }
  return weights;
}
