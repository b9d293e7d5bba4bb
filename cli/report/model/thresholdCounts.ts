import { applyCalibration } from '../../../model/calibration.ts';
import type { Calibration } from '../../../model/calibration.ts';
import { labelsOf, type ScoredImages } from './scoredImages.ts';

const BINS = 100;

/** Images by score, for every category: what precision and recall at any threshold follow from. */
export interface ThresholdCounts {
  /** The written score at the lower edge of each bin, and at the upper edge of the last: BINS + 1. */
  edges: number[];
  /** Of each category, by bin: images that it is present in, and images that it is absent from. */
  present: number[][];
  absent: number[][];
}

/** Counts images in equal bins of raw scores. */
export function thresholdCounts(
  { rows, scores }: ScoredImages,
  categories: number,
  calibration: Calibration | undefined,
): ThresholdCounts {
  const lowest = scores.reduce((a, b) => Math.min(a, b), 1);
  const highest = scores.reduce((a, b) => Math.max(a, b), -1);
  const width = Math.max(highest - lowest, 1e-6) / BINS;
  const counts = () => Array.from({ length: categories }, () => new Array<number>(BINS).fill(0));
  const present = counts();
  const absent = counts();
  for (const [i, row] of rows.entries()) {
    const labels = labelsOf(row, categories);
    for (let c = 0; c < categories; c++) {
      if (labels[c] === 0) continue;
      const bin = Math.min(BINS - 1, Math.floor((scores[i * categories + c]! - lowest) / width));
      (labels[c]! > 0 ? present : absent)[c]![bin]!++;
    }
  }
  const edges = Array.from({ length: BINS + 1 }, (_, bin) => {
    const raw = lowest + bin * width;
    return calibration ? applyCalibration(raw, calibration) : raw;
  });
  return { edges, present, absent };
}
