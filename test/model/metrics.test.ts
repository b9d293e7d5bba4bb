import { existsSync, readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { averagePrecision, evaluate, f1Counter, type F1 } from '../../model/metrics.ts';
import { topScores } from '../../model/topScores.ts';

const GOLDEN = new URL('../golden/', import.meta.url);

interface GoldenMetrics {
  scores: number[][];
  labels: number[][];
  apPerCategory: number[];
  mAP: number;
  mAPOverCategoriesWithPositives: number;
  f1: Record<string, F1>;
  f1DroppingImagesWithoutPositives: Record<string, F1>;
}

const folders = readdirSync(GOLDEN).filter((name) => existsSync(new URL(`${name}/metrics.json`, GOLDEN)));

function expectF1(found: Record<number, F1>, expected: Record<string, F1>): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [k, figures] of Object.entries(expected))
    for (const name of ['precision', 'recall', 'f1'] as const)
      expect(Math.abs(found[Number(k)]![name] - figures[name])).toBeLessThan(1e-6);
}

describe.each(folders)('the golden metrics of %s', (folder) => {
  const golden = JSON.parse(readFileSync(new URL(`${folder}/metrics.json`, GOLDEN), 'utf8')) as GoldenMetrics;
  const categoryCount = golden.apPerCategory.length;
  const scores = Float32Array.from(golden.scores.flat());
  const labels = Int8Array.from(golden.labels.flat());

  it('agree', () => {
    const topK = Object.keys(golden.f1).map(Number);
    const metrics = evaluate(scores, labels, { categoryCount, topK });
    for (const [c, ap] of golden.apPerCategory.entries())
      expect(Math.abs(metrics.apPerCategory[c]! - ap)).toBeLessThan(1e-6);
    expect(Math.abs(metrics.mAP - golden.mAP)).toBeLessThan(1e-6);
    expect(
      Math.abs(metrics.mAPOverCategoriesWithPositives - golden.mAPOverCategoriesWithPositives),
    ).toBeLessThan(1e-6);
    expectF1(metrics.f1, golden.f1);
    expectF1(metrics.f1DroppingImagesWithoutPositives, golden.f1DroppingImagesWithoutPositives);
  });

  it('of some columns are those of a matrix that has only them', () => {
    const columns = Int32Array.of(5, 0, 4);
    const pick = (rows: number[][]): number[] => rows.flatMap((row) => [...columns].map((c) => row[c]!));
    const some = evaluate(scores, labels, { categoryCount, topK: [1, 2], categories: columns });
    const alone = evaluate(Float32Array.from(pick(golden.scores)), Int8Array.from(pick(golden.labels)), {
      categoryCount: columns.length,
      topK: [1, 2],
    });
    expect(some).toEqual(alone);
    expect(some.apPerCategory[2]).toBe(0);
    expect(some.categoriesWithPositives).toBe(2);
  });
});

/** A few values, so that ties are common; some near each other and of both signs. */
const score = fc.oneof(
  fc.constantFrom(-1, -0.5, -0, 0, 2 ** -149, 0.5),
  fc.float({ noNaN: true, min: -1, max: 1 }),
);
const rated = (maxLength: number): fc.Arbitrary<[number, number][]> =>
  fc.array(fc.tuple(score, fc.constantFrom(-1, 0, 1)), { maxLength });

describe('averagePrecision', () => {
  it('is the sum over distinct thresholds of recall gained times precision', () => {
    fc.assert(
      fc.property(rated(40), (pairs) => {
        const known = pairs.filter(([, label]) => label !== 0);
        const positives = known.filter(([, label]) => label > 0).length;
        let expected = 0;
        let recall = 0;
        for (const threshold of [...new Set(known.map(([s]) => s + 0))].sort((a, b) => b - a)) {
          const above = known.filter(([s]) => s >= threshold);
          const hits = above.filter(([, label]) => label > 0).length;
          expected += (hits / positives - recall) * (hits / above.length);
          recall = hits / positives;
        }
        const found = averagePrecision(
          Float32Array.from(pairs, ([s]) => s),
          Int8Array.from(pairs, ([, label]) => label),
        );
        expect(found).toBeCloseTo(positives === 0 ? 0 : expected, 12);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a score that is not finite, unless its label is unknown', () => {
    const scores = Float32Array.of(NaN, 1);
    expect(averagePrecision(scores, Int8Array.of(0, 1))).toBe(1);
    expect(() => averagePrecision(scores, Int8Array.of(-1, 1))).toThrow(
      expect.objectContaining({ code: 'Metrics.NotFinite' }) as Error,
    );
  });
});

describe('f1Counter', () => {
  it('counts the K best of each image, the lower index first where scores are equal', () => {
    const counter = f1Counter([1, 3]);
    counter.add(Float32Array.of(0.5, 0.5, 0.1, 0.1), Int8Array.of(1, 1, -1, 1));
    counter.add(Float32Array.of(1, 2, 3, 4), Int8Array.of(-1, 0, -1, -1));
    expect(counter.result('all')).toEqual({
      1: { precision: 1 / 2, recall: 1 / 3, f1: 0.4 },
      3: { precision: 2 / 6, recall: 2 / 3, f1: 4 / 9 },
    });
    expect(counter.result('with-positives')[3]).toEqual({ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 });
  });

  it('is 0 without images', () => {
    expect(f1Counter([3]).result('all')).toEqual({ 3: { precision: 0, recall: 0, f1: 0 } });
  });
});

describe('evaluate', () => {
  it('refuses matrices of unlike shapes', () => {
    const shape = expect.objectContaining({ code: 'Metrics.Shape' }) as Error;
    const options = { categoryCount: 2, topK: [1] };
    expect(() => evaluate(new Float32Array(4), new Int8Array(6), options)).toThrow(shape);
    expect(() => evaluate(new Float32Array(3), new Int8Array(3), options)).toThrow(shape);
  });
});

describe('topScores', () => {
  it('is the head of the sorted list, of the candidates only', () => {
    const entries = fc.array(fc.tuple(score, fc.option(score)), { maxLength: 60 });
    fc.assert(
      fc.property(entries, fc.nat({ max: 70 }), (list, k) => {
        const scores = Float32Array.from(list, ([s]) => s);
        const minimums = Float32Array.from(list, ([, minimum]) => minimum ?? -Infinity);
        const sorted = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
        expect([...topScores(scores, k)]).toEqual(sorted.slice(0, k));
        const candidates = sorted.filter((i) => scores[i]! >= minimums[i]!);
        expect([...topScores(scores, k, minimums)]).toEqual(candidates.slice(0, k));
      }),
      { numRuns: 500 },
    );
  });
});
