import fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomStream } from '../../data/random.ts';
import { invertIndices, transposeIndices, type PaddedTable, type Uses } from '../../model/onnx/uses.ts';

/** What the graph does with uses: sums of `values` over the uses of each entry. */
function sums(values: readonly number[], { pieces, entries }: Uses): number[] {
  const sum = (of: readonly number[], { rows, width, positions, mask }: PaddedTable): number[] =>
    Array.from({ length: rows }, (_, row) => {
      let total = 0;
      for (let i = row * width; i < (row + 1) * width; i++) total += of[Number(positions[i])]! * mask[i]!;
      return total;
    });
  return sum(sum(values, pieces), entries);
}

function expectedSums(values: readonly number[], indices: readonly number[], count: number): number[] {
  const totals = new Array<number>(count).fill(0);
  for (const [place, index] of indices.entries()) totals[index]! += values[place]!;
  return totals;
}

test('uses sum what each entry of a table was gathered for, however often', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 0, max: 5 }),
      (indices, unused) => {
        // Whole numbers, whose sums have no rounding.
        const values = indices.map((_, i) => i + 1);
        const padding = (place: number) => place % 7 === 3;
        const uses = transposeIndices(BigInt64Array.from(indices, BigInt), (i) => !padding(i), 7 + unused);
        const counted = values.map((value, place) => (padding(place) ? 0 : value));
        expect(sums(values, uses)).toEqual(expectedSums(counted, indices, 7 + unused));
      },
    ),
  );
});

test('different indices have a simpler table with the same sums', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer(), (count, seed) => {
      const stream = randomStream(seed);
      const indices = [...stream.sample(1 + stream.integer(count), count)];
      const values = indices.map((_, i) => i + 1);
      const uses = invertIndices(BigInt64Array.from(indices, BigInt), count);
      expect(sums(values, uses)).toEqual(expectedSums(values, indices, count));
    }),
  );
});
