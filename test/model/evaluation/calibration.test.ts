import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { applyCalibration, CalibrationFile } from '../../../model/calibration.ts';
import { fitIsotonic } from '../../../model/evaluation/calibration/isotonicFit.ts';
import { fitLogistic, LEAST_SLOPE } from '../../../model/evaluation/calibration/logisticFit.ts';
import { addTagging, noTagging, taggingFigures } from '../../../model/evaluation/calibration/reliability.ts';
import { addScores, emptyHistogram } from '../../../model/evaluation/calibration/scoreHistogram.ts';
import {
  bestThreshold,
  sharedThreshold,
  type CalibrationMap,
} from '../../../model/evaluation/calibration/thresholds.ts';
import { randomStream } from '../../../data/random.ts';

interface Pairs {
  scores: Float32Array;
  labels: Int8Array;
}

const histogramOf = ({ scores, labels }: Pairs) => {
  const histogram = emptyHistogram();
  addScores(histogram, scores, labels);
  return histogram;
};
const apply = (score: number, map: CalibrationMap): number =>
  applyCalibration(score, { version: 1, ...map, thresholds: {}, fallbackThreshold: 0 });

/** Scores in [-1, 1] whose labels follow a logistic curve. */
function drawn(count: number, slope: number, intercept: number): Pairs {
  const random = randomStream('drawn', count, slope);
  const scores = Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
  const labels = Int8Array.from(scores, (score) =>
    random.uniform() < 1 / (1 + Math.exp(-(slope * score + intercept))) ? 1 : -1,
  );
  return { scores, labels };
}

const pairs = fc
  .array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.constantFrom(1, -1, 0)), {
    minLength: 1,
    maxLength: 60,
  })
  .map((list) => ({
    scores: Float32Array.from(list, ([score]) => score / 20),
    labels: Int8Array.from(list, ([, label]) => label),
  }));

describe('the logistic curve', () => {
  it('is found again from labels that follow it', () => {
    const { slope, intercept } = fitLogistic(histogramOf(drawn(40_000, 6, -1.5)))!;
    expect(slope).toBeGreaterThan(5.7);
    expect(slope).toBeLessThan(6.3);
    expect(intercept).toBeGreaterThan(-1.65);
    expect(intercept).toBeLessThan(-1.35);
  });

  it('is a stationary point of its likelihood', () => {
    const { scores, labels } = drawn(500, 3, 0.5);
    const { slope, intercept } = fitLogistic(histogramOf({ scores, labels }))!;
    const positives = labels.filter((label) => label > 0).length;
    const high = (positives + 1) / (positives + 2);
    const low = 1 / (labels.length - positives + 2);
    let [ofSlope, ofIntercept] = [0, 0];
    scores.forEach((score, i) => {
      const error = 1 / (1 + Math.exp(-(slope * score + intercept))) - (labels[i]! > 0 ? high : low);
      ofSlope += error * score;
      ofIntercept += error;
    });
    // Bins are 3e-5 wide.
    expect(Math.abs(ofSlope)).toBeLessThan(0.02);
    expect(Math.abs(ofIntercept)).toBeLessThan(0.02);
  });

  it.each([
    ['only positives', [0.1, 0.2], [1, 1]],
    ['only negatives', [0.1, 0.2], [-1, -1]],
    ['only unknown labels', [0.1, 0.2], [0, 0]],
    ['nothing', [], []],
  ])('there is none for %s', (_, scores, labels) => {
    const histogram = histogramOf({ scores: Float32Array.from(scores), labels: Int8Array.from(labels) });
    expect(fitLogistic(histogram)).toBeUndefined();
  });

  it('is all but level where scores are constant, or the wrong way round', () => {
    const constant = fitLogistic(
      histogramOf({ scores: new Float32Array(4).fill(0.3), labels: Int8Array.of(1, -1, -1, -1) }),
    )!;
    expect(constant.slope).toBe(LEAST_SLOPE);
    expect(apply(0.3, constant)).toBeCloseTo((2 / 3 + 3 / 5) / 4, 3);
    const { scores, labels } = drawn(1000, 5, 0);
    const reversed = fitLogistic(histogramOf({ scores: scores.map((score) => -score), labels }))!;
    expect(reversed.slope).toBe(LEAST_SLOPE);
  });

  it('stays finite where scores separate labels', () => {
    const fit = fitLogistic(
      histogramOf({ scores: Float32Array.of(-0.5, -0.4, 0.4, 0.5), labels: Int8Array.of(-1, -1, 1, 1) }),
    )!;
    expect(Number.isFinite(fit.slope) && Number.isFinite(fit.intercept)).toBe(true);
    expect(apply(0.5, fit)).toBeGreaterThan(0.6);
  });
});

test('maps rise with the score, and what is written is a calibration', () => {
  fc.assert(
    fc.property(pairs, fc.boolean(), (given, isIsotonic) => {
      const histogram = histogramOf(given);
      const logistic = fitLogistic(histogram);
      fc.pre(logistic !== undefined);
      const map: CalibrationMap = isIsotonic
        ? { ...logistic, knots: fitIsotonic(histogram, logistic) }
        : logistic;
      const scores = Array.from({ length: 81 }, (_, i) => -1 + i / 40);
      const calibrated = scores.map((score) => apply(score, map));
      calibrated.forEach((value, i) => {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        if (i > 0) expect(value).toBeGreaterThanOrEqual(calibrated[i - 1]!);
      });
      const threshold = bestThreshold(given.scores, given.labels, map)!;
      const file = CalibrationFile.safeParse({
        ...{ version: 1, ...map, thresholds: { cat: threshold } },
        fallbackThreshold: sharedThreshold(histogram, map),
      });
      expect(file.success).toBe(true);
    }),
  );
});

describe('isotonic regression', () => {
  it('corrects a curve that is not logistic', () => {
    const random = randomStream('steps');
    const scores = Float32Array.from({ length: 30_000 }, () => 2 * random.uniform() - 1);
    /** Flat, then a step. */
    const chance = (score: number) => (score < 0 ? 0.1 : score < 0.5 ? 0.3 : 0.9);
    const labels = Int8Array.from(scores, (score) => (random.uniform() < chance(score) ? 1 : -1));
    const histogram = histogramOf({ scores, labels });
    const logistic = fitLogistic(histogram)!;
    const map = { ...logistic, knots: fitIsotonic(histogram, logistic) };
    const error = (fit: CalibrationMap) => {
      const sums = noTagging(15);
      addTagging(
        sums,
        scores.map((score) => apply(score, fit)),
        labels,
        0.5,
      );
      return taggingFigures(sums).ece;
    };
    expect(error(map)).toBeLessThan(0.01);
    expect(error(logistic)).toBeGreaterThan(0.03);
  });
});

describe('thresholds', () => {
  const f1 = ({ scores, labels }: Pairs, map: CalibrationMap, threshold: number): number => {
    let [hits, tags, present] = [0, 0, 0];
    scores.forEach((score, i) => {
      if (labels[i] === 0) return;
      const isTag = apply(score, map) >= threshold;
      if (isTag) tags++;
      if (labels[i]! > 0) present++;
      if (isTag && labels[i]! > 0) hits++;
    });
    return tags + present === 0 ? 0 : (2 * hits) / (tags + present);
  };

  test('no other threshold gives a higher F1', () => {
    fc.assert(
      fc.property(
        pairs,
        fc.double({ min: 0.5, max: 20, noNaN: true }),
        fc.double({ min: -3, max: 3, noNaN: true }),
        (given, slope, intercept) => {
          const map = { slope, intercept };
          const threshold = bestThreshold(given.scores, given.labels, map);
          if (!given.labels.includes(1)) {
            expect(threshold).toBeUndefined();
            return;
          }
          const best = f1(given, map, threshold!);
          for (const score of given.scores)
            expect(f1(given, map, apply(score, map))).toBeLessThanOrEqual(best + 1e-12);
          const shared = sharedThreshold(histogramOf(given), map);
          expect(f1(given, map, shared)).toBeCloseTo(best, 10);
        },
      ),
    );
  });

  it('of nothing but positives takes all of them, of constant scores too', () => {
    const map = { slope: 2, intercept: 0 };
    const scores = Float32Array.of(0.1, 0.4);
    expect(bestThreshold(scores, Int8Array.of(1, 1), map)).toBe(apply(scores[0]!, map));
    expect(bestThreshold(Float32Array.of(0.2, 0.2), Int8Array.of(1, -1), map)).toBe(
      apply(Math.fround(0.2), map),
    );
    expect(sharedThreshold(emptyHistogram(), map)).toBe(1);
  });

  it('lies between the scores that it takes and those that it does not', () => {
    const map = { slope: 2, intercept: 0 };
    const threshold = bestThreshold(Float32Array.of(0.2, 0.6), Int8Array.of(-1, 1), map)!;
    expect(threshold).toBeCloseTo((apply(0.2, map) + apply(0.6, map)) / 2, 6);
  });
});
