import type { TaggingFigures } from '../../../data/evaluation/metricsFile.ts';

/** How calibrated scores and tags agree with labels: plain sums, so that those of several categories add up. */
export interface TaggingSums {
  /** By bin of calibrated scores: pairs, the sum of their scores, and positives. */
  pairs: number[];
  scores: number[];
  positives: number[];
  /** Tags that are right, tags in all, and positives in all. */
  hits: number;
  tags: number;
  present: number;
}

export const noTagging = (bins: number): TaggingSums => ({
  pairs: new Array<number>(bins).fill(0),
  scores: new Array<number>(bins).fill(0),
  positives: new Array<number>(bins).fill(0),
  hits: 0,
  tags: 0,
  present: 0,
});

/** Adds a category: calibrated scores and labels [n], and the lowest calibrated score that makes a tag. */
export function addTagging(
  sums: TaggingSums,
  calibrated: ArrayLike<number>,
  labels: Int8Array,
  threshold: number,
): void {
  const bins = sums.pairs.length;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label === 0) continue;
    const score = calibrated[i]!;
    const isPresent = label > 0 ? 1 : 0;
    const bin = Math.min(bins - 1, Math.floor(score * bins));
    sums.pairs[bin]!++;
    sums.scores[bin]! += score;
    sums.positives[bin]! += isPresent;
    sums.present += isPresent;
    if (score < threshold) continue;
    sums.tags++;
    sums.hits += isPresent;
  }
}

export function addSums(into: TaggingSums, other: TaggingSums): void {
  for (const name of ['pairs', 'scores', 'positives'] as const)
    other[name].forEach((value, bin) => (into[name][bin]! += value));
  for (const name of ['hits', 'tags', 'present'] as const) into[name] += other[name];
}

export function taggingFigures({
  pairs,
  scores,
  positives,
  hits,
  tags,
  present,
}: TaggingSums): TaggingFigures {
  const bins = pairs.length;
  const all = pairs.reduce((sum, count) => sum + count, 0);
  const reliability = pairs.flatMap((count, bin) =>
    count === 0
      ? []
      : [
          {
            from: bin / bins,
            to: (bin + 1) / bins,
            pairs: count,
            score: scores[bin]! / count,
            positives: positives[bin]! / count,
          },
        ],
  );
  return {
    precision: percent(hits, tags),
    recall: percent(hits, present),
    f1: percent(2 * hits, tags + present),
    ece: reliability.reduce((sum, bin) => sum + (bin.pairs / all) * Math.abs(bin.score - bin.positives), 0),
    reliability,
  };
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
