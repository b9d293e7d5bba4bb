import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EDGE_RELATIONS, type GraphEdge } from '../../../data/graphFile.ts';
import { finishEdges } from '../../../model/graph/finishEdges.ts';
import { MAX_INCOMING } from '../../../model/graph/strongest.ts';

const edge = (
  source: string,
  target: string,
  strength: number,
  relation: GraphEdge['relation'] = 'is-a',
): GraphEdge => ({ source, target, relation, strength });
const seen = new Set(['dog', 'wolf']);

test('of an edge that two answers hold the stronger stays', () => {
  const { edges, dropped } = finishEdges([edge('dog', 'animal', 0.5), edge('dog', 'animal', 0.9)], {
    targets: ['animal'],
    seen,
  });
  expect(edges).toEqual([edge('dog', 'animal', 0.9)]);
  expect(dropped).toMatchObject({ repeated: 1 });
});

test('is-a runs one way: the weaker of two opposites goes, and the weakest of a circle', () => {
  const { edges, dropped } = finishEdges(
    [
      edge('dog', 'pet', 0.9),
      edge('pet', 'dog', 0.3),
      edge('pet', 'animal', 0.8),
      edge('animal', 'dog', 0.2),
      edge('pet', 'dog', 0.3, 'functional'),
    ],
    { targets: ['animal', 'pet', 'dog'], seen },
  );
  expect(edges).toEqual([
    edge('pet', 'animal', 0.8),
    edge('dog', 'pet', 0.9),
    edge('pet', 'dog', 0.3, 'functional'),
  ]);
  expect(dropped).toMatchObject({ 'circular-is-a': 2 });
});

test('a category that nothing seen leads to is linked as a last resort, or said to be without', () => {
  const link = (target: string) => (target === 'fox' ? edge('wolf', 'fox', 0.1, 'synonym') : undefined);
  const { edges, withoutSeen } = finishEdges([edge('cat', 'fox', 0.4), edge('cat', 'lynx', 0.4)], {
    targets: ['fox', 'lynx', 'owl'],
    seen,
    link,
  });
  expect(edges).toEqual([
    edge('cat', 'fox', 0.4),
    edge('wolf', 'fox', 0.1, 'synonym'),
    edge('cat', 'lynx', 0.4),
  ]);
  expect(withoutSeen).toEqual(['lynx', 'owl']);
});

test('whatever is proposed, in whatever order: 16 at most, strongest first, is-a without circles, one from a seen one', () => {
  const name = fc.constantFrom('dog', 'wolf', ...Array.from({ length: 20 }, (_, i) => `c${i}`));
  const proposals = fc.array(
    fc
      .record({
        source: name,
        target: name,
        relation: fc.constantFrom(...EDGE_RELATIONS),
        strength: fc.integer({ min: 1, max: 5 }).map((n) => n / 5),
      })
      .filter(({ source, target }) => source !== target),
    { maxLength: 120 },
  );
  const targets = ['dog', 'c0', 'c1', 'c2', 'c3'];
  fc.assert(
    fc.property(
      proposals.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      ),
      ([all, shuffled]) => {
        const result = finishEdges(all, { targets, seen });
        expect(finishEdges(shuffled, { targets, seen })).toEqual(result);
        for (const target of targets) {
          const into = result.edges.filter((other) => other.target === target);
          expect(into.length).toBeLessThanOrEqual(MAX_INCOMING);
          // The last may be a weaker one from a seen category.
          const strengths = into.slice(0, -1).map(({ strength }) => strength);
          expect(strengths).toEqual([...strengths].sort((a, b) => b - a));
          const isLinked = into.some(({ source }) => seen.has(source));
          expect(isLinked).toBe(!result.withoutSeen.includes(target));
        }
        const general = Map.groupBy(
          result.edges.filter(({ relation }) => relation === 'is-a'),
          ({ source }) => source,
        );
        for (const start of general.keys()) {
          const reached = new Set(general.get(start)!.map(({ target }) => target));
          for (const at of reached) for (const { target } of general.get(at) ?? []) reached.add(target);
          expect(reached.has(start)).toBe(false);
        }
      },
    ),
  );
});
