import { applyCalibration, type Calibration } from '../../calibration.ts';
import { filledBins, type ScoreHistogram } from './scoreHistogram.ts';

/** The monotone map of a calibration, before it has thresholds. */
export type CalibrationMap = Pick<Calibration, 'slope' | 'intercept' | 'knots'>;

const written = (score: number, map: CalibrationMap): number =>
  applyCalibration(score, { version: 1, ...map, thresholds: {}, fallbackThreshold: 0 });

/**
 * The threshold on calibrated scores that gives a category the highest F1: of equally good ones the highest. It lies half
 * way between the lowest score that it takes and the highest that it does not.
 *
 * @param scores [n] raw.
 * @param labels [n] 1 present, -1 absent, 0 unknown: left out.
 * @returns undefined without a positive.
 */
export function bestThreshold(
  scores: Float32Array,
  labels: Int8Array,
  map: CalibrationMap,
): number | undefined {
  const pairs: { score: number; positives: number; negatives: number }[] = [];
  for (let i = 0; i < scores.length; i++) {
    const label = labels[i]!;
    if (label === 0) continue;
    const [positives, negatives] = label > 0 ? [1, 0] : [0, 1];
    pairs.push({ score: written(scores[i]!, map), positives, negatives });
  }
  return bestCut(pairs.sort((a, b) => b.score - a.score))?.threshold;
}

/** The threshold that gives all pairs of a histogram together the highest F1; 1 without a positive. */
export function sharedThreshold(histogram: ScoreHistogram, map: CalibrationMap): number {
  const pairs = [...filledBins(histogram)].map(({ edge, positives, negatives }) => ({
    score: written(edge, map),
    positives,
    negatives,
  }));
  return bestCut(pairs.reverse())?.threshold ?? 1;
}

/** @param pairs by falling score. */
function bestCut(
  pairs: readonly { score: number; positives: number; negatives: number }[],
): { threshold: number; f1: number } | undefined {
  const all = pairs.reduce((sum, { positives }) => sum + positives, 0);
  let best: { threshold: number; f1: number } | undefined;
  let [hits, taken] = [0, 0];
  for (const [i, { score, positives, negatives }] of pairs.entries()) {
    hits += positives;
    taken += positives + negatives;
    const next = pairs[i + 1]?.score;
    // Equal scores are taken together.
    if (next === score) continue;
    const f1 = (2 * hits) / (taken + all);
    if (hits > 0 && f1 > (best?.f1 ?? 0))
      best = { f1, threshold: next === undefined ? score : (score + next) / 2 };
  }
  return best;
}
