import type { CategoryGraph, GraphEdge } from '../../data/graphFile.ts';
import { compareEdges, strongest } from './strongest.ts';
import { categorySenses, type CategorySenses, type NamedCategory } from './wordSenses.ts';
import { openWordnet, type Belonging, type WordnetDatabase } from './wordnetDatabase.ts';

/** Strength that is left after each step up from the special to the general. */
const STEP = 0.9;

/** Steps up from a category; from wolf to animal it is 7, from sheep 9. */
const MAX_STEPS = 10;

/**
 * How much evidence for a part says about its whole, and over how many steps up that is inherited: on the part's side (a
 * steering wheel is a wheel), and on the whole's (a car is a wheeled vehicle). Further up, "body part" and "food" are parts
 * of everything alive or eaten.
 */
const BELONGING: Readonly<Record<Belonging, { strength: number; partSteps: number; wholeSteps: number }>> = {
  part: { strength: 0.7, partSteps: 1, wholeSteps: 4 },
  member: { strength: 0.5, partSteps: 1, wholeSteps: 0 },
  substance: { strength: 0.5, partSteps: 0, wholeSteps: 0 },
};

/** Lexicographer file of the most general nouns (organism, food, person): what belongs to them says nothing. */
const TOPS = 3;

/** Weaker candidates are coincidences of rare senses. */
const MIN_STRENGTH = 0.1;

/**
 * Links from WordNet for the asked categories that `graph` gives no incoming edge from a category that is asked or seen:
 * of the {@link wordnetEdges} from seen and asked categories to them, the {@link strongest}.
 *
 * @returns in the order of `asked`, then as above. The same input gives the same edges everywhere.
 * @throws Failure `Wordnet.Unreadable`.
 */
export function linkByWordnet({
  asked,
  seen,
  graph,
}: {
  asked: readonly NamedCategory[];
  seen: readonly NamedCategory[];
  graph: CategoryGraph;
}): GraphEdge[] {
  const sources = new Map([...seen, ...asked].map((category) => [category.name, category]));
  const linked = new Set(graph.edges.filter(({ source }) => sources.has(source)).map(({ target }) => target));
  const targets = asked.filter(({ name }) => !linked.has(name));
  const candidates = Map.groupBy(wordnetEdges([...sources.values()], targets), ({ target }) => target);
  const seenNames = new Set(seen.map(({ name }) => name));
  return targets.flatMap(({ name }) => strongest(candidates.get(name) ?? [], seenNames));
}

/**
 * Edges from WordNet between two different categories, one per pair (its strongest):
 *
 * - `synonym` where they share a synset;
 * - `is-a` from a hyponym to its hypernym, never back, falling by a tenth per step;
 * - `part-whole` from a part, member or substance to what has it, parts of the whole's hypernyms included.
 *
 * A strength is multiplied by how likely the two senses are meant ({@link categorySenses}): 1 between first senses. A
 * category that WordNet does not know has none.
 *
 * @throws Failure `Wordnet.Unreadable`.
 */
export function wordnetEdges(
  sources: readonly NamedCategory[],
  targets: readonly NamedCategory[],
): GraphEdge[] {
  if (targets.length === 0) return [];
  const wordnet = openWordnet();
  const senses = new Map<string, CategorySenses>();
  for (const category of [...targets, ...sources]) {
    const found = categorySenses(category, wordnet);
    if (found !== undefined) senses.set(category.name, found);
  }
  const index = indexTargets(targets, senses, wordnet);
  const candidates = new Map<string, GraphEdge>();
  for (const { name } of sources) {
    const meaning = senses.get(name);
    if (meaning === undefined) continue;
    for (const edge of edgesFrom(name, meaning, index, wordnet)) {
      if (edge.target === name || edge.strength < MIN_STRENGTH) continue;
      const pair = JSON.stringify([name, edge.target]);
      const other = candidates.get(pair);
      if (other === undefined || compareEdges(edge, other) < 0) candidates.set(pair, edge);
    }
  }
  return [...candidates.values()];
}

/** A category that evidence for a synset informs, and how much. */
interface Reached {
  target: string;
  strength: number;
  /** Up from a synset that the category may mean. */
  steps: number;
}

interface TargetIndex {
  /** Categories by the synsets that they may mean. */
  meaning: ReadonlyMap<number, readonly Reached[]>;
  /** Categories by the synsets that they are kinds of, themselves included. */
  kinds: ReadonlyMap<number, readonly Reached[]>;
}

function indexTargets(
  targets: readonly NamedCategory[],
  senses: ReadonlyMap<string, CategorySenses>,
  wordnet: WordnetDatabase,
): TargetIndex {
  const meaning = new Map<number, Reached[]>();
  const kinds = new Map<number, Reached[]>();
  const add = (index: Map<number, Reached[]>, synset: number, reached: Reached): void => {
    const list = index.get(synset);
    if (list === undefined) index.set(synset, [reached]);
    else list.push(reached);
  };
  for (const { name } of targets) {
    const found = senses.get(name);
    if (found === undefined) continue;
    for (const [synset, weight] of found.synsets) {
      // Not every apple is a red apple: evidence for the general does not inform the special.
      if (!found.kindOf) add(meaning, synset, { target: name, strength: weight, steps: 0 });
      for (const [kind, above] of ancestors(synset, BELONGING.part.wholeSteps, wordnet)) {
        const steps = above + Number(found.kindOf);
        add(kinds, kind, { target: name, strength: weight * STEP ** steps, steps });
      }
    }
  }
  return { meaning, kinds };
}

function* edgesFrom(
  source: string,
  { synsets, kindOf }: CategorySenses,
  { meaning, kinds }: TargetIndex,
  wordnet: WordnetDatabase,
): Generator<GraphEdge> {
  for (const [synset, weight] of synsets)
    for (const [kind, above] of ancestors(synset, MAX_STEPS, wordnet)) {
      const steps = above + Number(kindOf);
      const strength = weight * STEP ** steps;
      for (const reached of meaning.get(kind) ?? [])
        yield edge(source, reached, steps === 0 ? 'synonym' : 'is-a', strength);
      for (const whole of wordnet.synset(kind).wholes) {
        const rule = BELONGING[whole.belonging];
        if (steps > rule.partSteps || wordnet.synset(whole.synset).field === TOPS) continue;
        for (const reached of kinds.get(whole.synset) ?? [])
          if (reached.steps <= rule.wholeSteps)
            yield edge(source, reached, 'part-whole', strength * rule.strength);
      }
    }
}

function edge(
  source: string,
  reached: Reached,
  relation: GraphEdge['relation'],
  strength: number,
): GraphEdge {
  // Rounded, so that ties do not hang on the last bit of a product.
  const rounded = Math.round(strength * reached.strength * 1e4) / 1e4;
  return { source, target: reached.target, relation, strength: rounded };
}

/** A synset and its hypernyms with the fewest steps up to each, at most `limit`. */
function ancestors(synset: number, limit: number, wordnet: WordnetDatabase): Map<number, number> {
  const found = new Map([[synset, 0]]);
  for (const [at, steps] of found)
    if (steps < limit)
      for (const hypernym of wordnet.synset(at).hypernyms)
        if (!found.has(hypernym)) found.set(hypernym, steps + 1);
  return found;
}
