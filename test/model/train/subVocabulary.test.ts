import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IndexedEdge } from '../../../data/subgraph.ts';
import { incomingEdges, sampleCategories } from '../../../model/ranking/subVocabulary.ts';

const CATEGORIES = 60;

const edges = fc.array(
  fc.record({
    source: fc.nat({ max: CATEGORIES - 1 }),
    target: fc.nat({ max: CATEGORIES - 1 }),
    relation: fc.integer({ min: 1, max: 5 }),
    strength: fc.double({ min: 0.01, max: 1, noNaN: true }),
  }),
  { maxLength: 200 },
);
const present = fc.uniqueArray(fc.nat({ max: CATEGORIES - 1 }), { maxLength: 30 });

const sample = (graph: IndexedEdge[], shown: number[], count: number, key = [1]): number[] =>
  sampleCategories(incomingEdges(CATEGORIES, graph), new Set(shown), count, key);

test('as many different categories as asked for, ascending, the present ones among them', () => {
  fc.assert(
    fc.property(edges, present, fc.integer({ min: 1, max: CATEGORIES }), (graph, shown, count) => {
      const chosen = sample(graph, shown, count);
      expect(chosen).toHaveLength(count);
      expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
      const kept = shown.filter((category) => chosen.includes(category)).length;
      // At most half of the places: the rest is for what they are compared with.
      expect(kept).toBeGreaterThanOrEqual(Math.min(shown.length, Math.floor(count / 2)));
    }),
  );
});

test('the same key gives the same sample, another one another', () => {
  expect(sample([], [3], 20, [1, 2])).toEqual(sample([], [3], 20, [1, 2]));
  expect(sample([], [3], 20, [1, 2])).not.toEqual(sample([], [3], 20, [2, 1]));
});

test('the sources of a present category come before any sampled one', () => {
  const graph = [10, 20, 30].map((source) => ({ source, target: 5, relation: 1, strength: 0.5 }));
  expect(sample(graph, [5], 4)).toEqual([5, 10, 20, 30]);
});

test('where there is no room for all sources, the strongest are taken', () => {
  const graph = [0.2, 0.9, 0.5].map((strength, i) => ({ source: 10 + i, target: 5, relation: 1, strength }));
  expect(sample(graph, [5], 3)).toEqual([5, 11, 12]);
});

test('a vocabulary that fits is taken whole', () => {
  expect(sample([], [], CATEGORIES)).toHaveLength(CATEGORIES);
});
