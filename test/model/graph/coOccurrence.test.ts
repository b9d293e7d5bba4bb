import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coOccurrenceEdges, LabelCounts } from '../../../model/graph/coOccurrence.ts';

const names = ['surfboard', 'beach', 'person', 'cactus'];
const count = (images: readonly number[][]): LabelCounts => {
  const counts = new LabelCounts(names.length);
  for (const present of images) counts.add(present);
  return counts;
};
const times = (n: number, present: number[]): number[][] => Array.from({ length: n }, () => present);

test('what is seen together informs each other by how often it is so', () => {
  const edges = coOccurrenceEdges(count([...times(10, [0, 1]), ...times(5, [1]), ...times(85, [2])]), names);
  expect(edges).toEqual([
    { source: 'surfboard', target: 'beach', relation: 'co-occurrence', strength: 0.6667 },
    { source: 'beach', target: 'surfboard', relation: 'co-occurrence', strength: 0.5 },
  ]);
});

test.each([
  ['that are together in four images only', [...times(4, [0, 1]), ...times(96, [])]],
  ['of which one is everywhere', [...times(20, [0, 2]), ...times(80, [2])]],
  [
    'that are together by chance',
    [...times(10, [0, 1]), ...times(10, [0]), ...times(40, [1]), ...times(40, [])],
  ],
])('categories %s have no edge', (_, images) => {
  expect(coOccurrenceEdges(count(images), names)).toEqual([]);
});

test('an edge only where both ways its strength is enough', () => {
  const edges = coOccurrenceEdges(count([...times(6, [0, 1]), ...times(194, [1]), ...times(800, [])]), names);
  expect(edges.map(({ source }) => source)).toEqual(['surfboard']);
});

test('counts do not depend on the order of images, and strengths are in (0, 1]', () => {
  const image = fc.subarray([0, 1, 2, 3]);
  const images = fc.array(image, { maxLength: 60 });
  fc.assert(
    fc.property(
      images.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        const sorted = (edges: ReturnType<typeof coOccurrenceEdges>) =>
          edges.map((edge) => JSON.stringify(edge)).sort();
        const edges = coOccurrenceEdges(count(all), names);
        expect(sorted(coOccurrenceEdges(count(shuffled), names))).toEqual(sorted(edges));
        for (const { strength } of edges) expect(strength > 0 && strength <= 1).toBe(true);
      },
    ),
  );
});
