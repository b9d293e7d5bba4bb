/** Category graphs that the study compares: the world's own, the same with parts left out or mixed up, and others. */
import { EDGE_RELATIONS, RELATIONS, type EdgeRelation, type GraphEdge } from '../../data/graphFile.ts';
import { randomStream } from '../../data/random.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import { WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { worldGraph } from '../../data/world/recipe/graph.ts';
import { coOccurrenceEdges, LabelCounts } from '../../model/graph/coOccurrence.ts';
import { linkByWordnet } from '../../model/graph/wordnet.ts';

/** Which graph a row has. */
export type GraphChoice =
  | { kind: 'oracle' }
  /** Every edge's source is another category, by one permutation of all of them, or of those of each kind. */
  | { kind: 'shuffled'; within: 'all' | 'kind' }
  | { kind: 'only'; relation: EdgeRelation }
  | { kind: 'without'; relation: EdgeRelation }
  | { kind: 'wordnet' }
  /** What the training labels say of categories that come together; of unseen ones they say nothing. */
  | { kind: 'labels' }
  | { kind: 'wordnet and labels' };

/** Labels that graphs may be made of: indices of seen categories, image by image. */
export type TrainingLabels = readonly (readonly number[])[];

const NAMES = WORLD_CATEGORIES.map(({ name }) => name);
const INDEX = new Map(NAMES.map((name, i) => [name, i]));

/** The edges of a choice among all categories of the world; `seed` draws the permutation, the same in training and test. */
export function edgesOf(choice: GraphChoice, labels: TrainingLabels, seed: number): IndexedEdge[] {
  const { edges } = worldGraph();
  switch (choice.kind) {
    case 'oracle':
      return edges.map(indexed);
    case 'only':
      return edges.filter(({ relation }) => relation === choice.relation).map(indexed);
    case 'without':
      return edges.filter(({ relation }) => relation !== choice.relation).map(indexed);
    case 'shuffled': {
      const moved = permutation(choice.within, seed);
      return edges
        .map(indexed)
        .map((edge) => ({ ...edge, source: moved[edge.source]! }))
        .filter(({ source, target }) => source !== target);
    }
    case 'wordnet':
      return wordnet().map(indexed);
    case 'labels':
      return fromLabels(labels).map(indexed);
    case 'wordnet and labels': {
      const taxonomy = wordnet();
      const linked = new Set(taxonomy.map(pairOf));
      return [...taxonomy, ...fromLabels(labels).filter((edge) => !linked.has(pairOf(edge)))].map(indexed);
    }
  }
}

/** Relations that the world's graph has, for the rows with one of them and without it. */
export const WORLD_RELATIONS: readonly EdgeRelation[] = EDGE_RELATIONS.filter((name) =>
  worldGraph().edges.some(({ relation }) => relation === name),
);

const pairOf = ({ source, target }: GraphEdge): string => JSON.stringify([source, target]);

const wordnet = (): GraphEdge[] => {
  const all = NAMES.map((name) => ({ name, aliases: [] }));
  return linkByWordnet({ asked: all, seen: all, graph: { edges: [] } });
};

function fromLabels(labels: TrainingLabels): GraphEdge[] {
  const counts = new LabelCounts(NAMES.length);
  for (const present of labels) counts.add(present);
  return coOccurrenceEdges(counts, NAMES);
}

function permutation(within: 'all' | 'kind', seed: number): number[] {
  const groups =
    within === 'all'
      ? [NAMES.map((_, i) => i)]
      : [
          ...Map.groupBy(
            NAMES.map((_, i) => i),
            (i) => WORLD_CATEGORIES[i]!.kind,
          ).values(),
        ];
  const moved = NAMES.map((_, i) => i);
  for (const [at, group] of groups.entries()) {
    const order = randomStream('shuffled graph', seed, at).permutation(group.length);
    for (const [i, category] of group.entries()) moved[category] = group[order[i]!]!;
  }
  return moved;
}

const indexed = ({ source, target, relation, strength }: GraphEdge): IndexedEdge => ({
  source: INDEX.get(source)!,
  target: INDEX.get(target)!,
  relation: RELATIONS.indexOf(relation),
  strength,
});
