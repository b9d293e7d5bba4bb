/**
 * Bootstrap over images of anything that is a function of sums over them: hits, positives, influences. A resample is how
 * often each image was drawn; every sum of it uses the same draws, so differences between systems are paired.
 */
import type { Interval } from '../../data/evaluation/metricsFile.ts';
import { randomStream } from '../../data/random.ts';

export interface BootstrapOptions {
  /** N */
  images: number;
  resamples: number;
  seed: number;
  /** Awaited after each resample, so that a caller on an event loop can give way. */
  breathe?: () => Promise<void>;
}

/** Sums of columns: over the images, and over each resample of them. */
export interface ResampledSums {
  whole: number;
  /** [resamples] */
  resampled: Float64Array;
}

/** @param columns each [N] @returns in the order of the columns. */
export async function resampleSums(
  columns: readonly Float64Array[],
  { images, resamples, seed, breathe }: BootstrapOptions,
): Promise<ResampledSums[]> {
  const sums = columns.map((column) => ({
    whole: column.reduce((sum, value) => sum + value, 0),
    resampled: new Float64Array(resamples),
  }));
  const drawn = new Float64Array(images);
  for (let r = 0; r < resamples; r++) {
    const random = randomStream('bootstrap', seed, r);
    drawn.fill(0);
    for (let i = 0; i < images; i++) drawn[random.integer(images)]!++;
    columns.forEach((column, at) => (sums[at]!.resampled[r] = dot(drawn, column)));
    await breathe?.();
  }
  return sums;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The value of a figure, and its value in each resample. */
export interface Resampled {
  value: number;
  /** [resamples] */
  samples: Float64Array;
}

/** A figure of sums, as `figure(hits, positives)` of two of them. */
export const figureOf = (figure: (...sums: number[]) => number, ...sums: ResampledSums[]): Resampled => ({
  value: figure(...sums.map(({ whole }) => whole)),
  samples: Float64Array.from(sums[0]!.resampled, (_, r) =>
    figure(...sums.map(({ resampled }) => resampled[r]!)),
  ),
});

/** One figure less another, resample by resample. */
export const differenceOf = (a: Resampled, b: Resampled): Resampled => ({
  value: a.value - b.value,
  samples: a.samples.map((value, r) => value - b.samples[r]!),
});

/** The value and the percentiles of its samples that `confidence` of them lie between. */
export function intervalOf({ value, samples }: Resampled, confidence: number): Interval {
  const sorted = samples.slice().sort();
  return { value, low: quantile(sorted, (1 - confidence) / 2), high: quantile(sorted, (1 + confidence) / 2) };
}

/** The q-quantile of sorted values, interpolated linearly between neighbours. */
function quantile(sorted: Float64Array, q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const first = sorted[below]!;
  return first + (place - below) * (sorted[Math.min(below + 1, sorted.length - 1)]! - first);
}
