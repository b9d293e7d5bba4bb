import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { RankedPrecision } from '../../../model/evaluation/rankedPrecision.ts';
import { averagePrecision } from '../../../model/metrics.ts';
import { randomStream } from '../../../data/random.ts';

/** Few different scores, so that ties are common. */
const column = fc
  .array(fc.tuple(fc.integer({ min: -6, max: 6 }), fc.constantFrom(1, -1, -1, 0)), {
    minLength: 1,
    maxLength: 40,
  })
  .map((pairs) => ({
    scores: Float32Array.from(pairs, ([score]) => score / 8),
    labels: Int8Array.from(pairs, ([, label]) => label),
  }));

/** AP of images with weights, from its definition. */
function weightedPrecision(scores: Float32Array, labels: Int8Array, weights: readonly number[]): number {
  const thresholds = [...new Set(scores)].sort((a, b) => b - a);
  const total = weights.reduce((sum, weight, i) => sum + (labels[i]! > 0 ? weight : 0), 0);
  let [ap, before] = [0, 0];
  for (const threshold of thresholds) {
    let [hits, all] = [0, 0];
    scores.forEach((score, i) => {
      if (score < threshold || labels[i] === 0) return;
      all += weights[i]!;
      if (labels[i]! > 0) hits += weights[i]!;
    });
    if (all > 0) ap += ((hits - before) / total) * (hits / all);
    before = hits;
  }
  return total === 0 ? 0 : ap;
}

test('the average precision is that of the metrics, ties and unknown labels included', () => {
  fc.assert(
    fc.property(column, ({ scores, labels }) => {
      const { ap, known, positives } = new RankedPrecision(scores.length).measure(scores, labels);
      expect(ap).toBeCloseTo(averagePrecision(scores, labels), 12);
      expect(known).toBe(labels.filter((label) => label !== 0).length);
      expect(positives).toBe(labels.filter((label) => label > 0).length);
    }),
  );
});

test('influences are the derivatives by the weight of each image', () => {
  const step = 1e-5;
  fc.assert(
    fc.property(column, ({ scores, labels }) => {
      const influences = new Float64Array(scores.length);
      const { variance } = new RankedPrecision(scores.length).measure(scores, labels, influences);
      let squares = 0;
      influences.forEach((influence, i) => {
        const at = (change: number) =>
          weightedPrecision(
            scores,
            labels,
            Array.from(scores, (_, j) => (j === i ? 1 + change : 1)),
          );
        expect(influence).toBeCloseTo((at(step) - at(-step)) / (2 * step), 6);
        squares += influence ** 2;
      });
      expect(variance).toBeCloseTo(squares, 12);
      // Twice the images, each as before, have the same average precision.
      expect(influences.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 10);
    }),
    { numRuns: 60 },
  );
});

describe('linear in the weights', () => {
  it('spreads like a bootstrap that ranks every resample again', () => {
    const images = 400;
    const random = randomStream('linear');
    const labels = Int8Array.from({ length: images }, () => (random.uniform() < 0.1 ? 1 : -1));
    const scores = Float32Array.from(labels, (label) => random.normal() + (label > 0 ? 1 : 0));
    const influences = new Float64Array(images);
    const { ap, variance } = new RankedPrecision(images).measure(scores, labels, influences);
    const samples = { exact: [] as number[], linear: [] as number[] };
    for (let r = 0; r < 400; r++) {
      const weights = new Array<number>(images).fill(0);
      for (let i = 0; i < images; i++) weights[random.integer(images)]!++;
      samples.exact.push(weightedPrecision(scores, labels, weights));
      samples.linear.push(ap + influences.reduce((sum, value, i) => sum + weights[i]! * value, 0));
    }
    const spread = (values: readonly number[]) => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    };
    const exact = spread(samples.exact);
    expect(Math.abs(spread(samples.linear) / exact - 1)).toBeLessThan(0.15);
    expect(Math.abs(Math.sqrt(variance) / exact - 1)).toBeLessThan(0.15);
    // Resample by resample, too: differences between systems are those of the same draws.
    const apart = samples.exact.map((value, r) => value - samples.linear[r]!);
    expect(spread(apart)).toBeLessThan(0.35 * exact);
  });
});

it('refuses scores that are no numbers, and more images than fit', () => {
  const ranked = new RankedPrecision(2);
  expect(() => ranked.measure(new Float32Array([NaN, 1]), new Int8Array([1, -1]))).toThrow(
    expect.objectContaining({ code: 'Metrics.NotFinite' }),
  );
  expect(() => new RankedPrecision(2 ** 21 + 1)).toThrow(
    expect.objectContaining({ code: 'Metrics.TooManyImages' }),
  );
});
