import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomStream, xoshiro128 } from '../../data/random.ts';

const drawn = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);

test('xoshiro128** gives the words of its published test vector', () => {
  expect(drawn(10, xoshiro128([1, 2, 3, 4]))).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ]);
});

test('a stream has the same numbers on every machine', () => {
  const stream = randomStream('weights', 7);
  expect(drawn(3, () => stream.word())).toEqual([1359689365, 2314061727, 3691615653]);
  expect(drawn(3, () => stream.uniform())).toEqual([
    0.926761731192089, 0.16667403872897013, 0.27441029070817224,
  ]);
  expect(drawn(3, () => stream.normal())).toEqual([
    -1.9173114913069915, 0.3708165633054136, -1.9701924573052363,
  ]);
  expect([...stream.permutation(8)]).toEqual([7, 6, 0, 5, 2, 3, 4, 1]);
});

test('streams of different names differ, whatever the parts look like', () => {
  const names: (number | string)[][] = [[], [1], ['1'], [1, 2], [12], ['1', 2], ['1,2'], [1, 2, 0], ['']];
  const first = names.map((name) => randomStream(...name).uniform());
  expect(new Set(first).size).toBe(names.length);
});

describe('uniform', () => {
  test('is even over its range, and neighbours are unrelated', () => {
    const stream = randomStream('uniform');
    const counts = new Array<number>(100).fill(0);
    for (const [x, y] of drawn(100_000, () => [stream.uniform(), stream.uniform()] as const))
      counts[Math.floor(x * 10) * 10 + Math.floor(y * 10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 99 degrees of freedom: 0.1 % lie above 149, 0.1 % below 61.
    expect(chiSquare).toBeGreaterThan(61);
    expect(chiSquare).toBeLessThan(149);
  });
});

describe('normal', () => {
  test('has the moments and tails of the normal distribution', () => {
    const stream = randomStream('normal');
    const values = drawn(200_000, () => stream.normal());
    const moment = (power: number) => values.reduce((sum, x) => sum + x ** power, 0) / values.length;
    const beyond = (limit: number) => values.filter((x) => Math.abs(x) > limit).length / values.length;
    expect(moment(1)).toBeCloseTo(0, 2);
    // Five standard deviations of the mean of squares: 5 √(2 / 200,000).
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.0158);
    expect(moment(3)).toBeCloseTo(0, 1);
    expect(moment(4)).toBeCloseTo(3, 1);
    expect(beyond(1.959964)).toBeCloseTo(0.05, 2);
    expect(beyond(3.290527) * 1000).toBeCloseTo(1, 0);
  });
});

describe('whole numbers', () => {
  test('integer keeps below its count', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.string(), (count, name) => {
        const stream = randomStream(name);
        return drawn(20, () => stream.integer(count)).every(
          (value) => Number.isInteger(value) && value >= 0 && value < count,
        );
      }),
    );
  });
  test('integer favours none where 2³² is not a multiple of the count', () => {
    const stream = randomStream('integer');
    const count = 3 * 2 ** 30;
    const low = drawn(30_000, () => stream.integer(count)).filter((value) => value < 2 ** 30).length;
    // A remainder without rejection would put half of them there.
    expect(low / 30_000).toBeCloseTo(1 / 3, 1);
  });
  test('a permutation has every number once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer(), (count, seed) => {
        const sorted = randomStream(seed)
          .permutation(count)
          .sort((a, b) => a - b);
        expect([...sorted]).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
  });
  test('all orders of three are equally likely', () => {
    const stream = randomStream('orders');
    const counts = new Map<string, number>();
    for (const order of drawn(12_000, () => stream.permutation(3).join('')))
      counts.set(order, (counts.get(order) ?? 0) + 1);
    expect(counts.size).toBe(6);
    // Five standard deviations: 5 √(12,000 / 6 * 5 / 6).
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(204);
  });
  test('a sample is what the permutation begins with', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer(), (count, seed) => {
        const size = randomStream('size', seed).integer(count + 1);
        expect(randomStream(seed).sample(size, count)).toEqual(
          randomStream(seed).permutation(count).slice(0, size),
        );
      }),
    );
  });
});
