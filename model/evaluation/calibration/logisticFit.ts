/** Platt's fit of a logistic curve to scores (Platt 1999, with the Newton steps of Lin, Lin and Weng 2007). */
import { filledBins, type ScoreHistogram } from './scoreHistogram.ts';

/** Scores that tell nothing, or the wrong way round, get this slope: the map stays monotone and all but level. */
export const LEAST_SLOPE = 1e-3;

const MOST_STEPS = 100;
const RIDGE = 1e-12;

/**
 * Slope (at least {@link LEAST_SLOPE}) and intercept of `1 / (1 + exp(-(slope * score + intercept)))` with the highest
 * likelihood. Targets are a little inside of [0, 1], by how many labels there are, so that separable scores do not make a
 * cliff. Undefined without a positive or without a negative.
 */
export function fitLogistic(histogram: ScoreHistogram): { slope: number; intercept: number } | undefined {
  const bins = [...filledBins(histogram)];
  const positives = bins.reduce((sum, bin) => sum + bin.positives, 0);
  const negatives = bins.reduce((sum, bin) => sum + bin.negatives, 0);
  if (positives === 0 || negatives === 0) return undefined;
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (negatives + 2);
  const count = positives + negatives;
  const mean = bins.reduce((sum, bin) => sum + bin.centre * (bin.positives + bin.negatives), 0) / count;
  const variance =
    bins.reduce((sum, bin) => sum + (bin.centre - mean) ** 2 * (bin.positives + bin.negatives), 0) / count;
  const prior = logit((positives * high + negatives * low) / count);
  const level = { slope: LEAST_SLOPE, intercept: prior - LEAST_SLOPE * mean };
  if (variance === 0) return level;

  // On scores of mean 0 and variance 1 the curvature is well conditioned.
  const spread = Math.sqrt(variance);
  const points = bins.map((bin) => {
    const weight = bin.positives + bin.negatives;
    return { x: (bin.centre - mean) / spread, weight, target: bin.positives * high + bin.negatives * low };
  });
  const lossAt = (a: number, b: number): number =>
    points.reduce((sum, { x, weight, target }) => {
      const z = a * x + b;
      return sum + weight * softplus(z) - target * z;
    }, 0);
  let [a, b] = [0, prior];
  let loss = lossAt(a, b);
  for (let step = 0; step < MOST_STEPS; step++) {
    let [ga, gb, haa, hab, hbb] = [0, 0, RIDGE, 0, RIDGE];
    for (const { x, weight, target } of points) {
      const p = sigmoid(a * x + b);
      const error = weight * p - target;
      const curve = weight * p * (1 - p);
      ga += error * x;
      gb += error;
      haa += curve * x * x;
      hab += curve * x;
      hbb += curve;
    }
    const determinant = haa * hbb - hab * hab;
    const da = (hbb * ga - hab * gb) / determinant;
    const db = (haa * gb - hab * ga) / determinant;
    let size = 1;
    let next = lossAt(a - da, b - db);
    // A whole step may overshoot far from the optimum.
    while (!(next <= loss) && size > 1e-10) next = lossAt(a - (size /= 2) * da, b - size * db);
    if (!(next < loss)) break;
    [a, b] = [a - size * da, b - size * db];
    const gained = loss - next;
    loss = next;
    if (gained <= 1e-12 * Math.abs(loss)) break;
  }
  const slope = a / spread;
  return slope > LEAST_SLOPE ? { slope, intercept: b - slope * mean } : level;
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
const logit = (p: number): number => Math.log(p / (1 - p));
/** log(1 + exp(z)) */
const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
