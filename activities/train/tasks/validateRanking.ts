import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { evaluate } from '../../../model/metrics.ts';
import { summariseFailed, type FailedImage } from '../../../data/training/failedImages.ts';
import type { Validation } from '../../../workflows/train/trainTypes.ts';
import type { ActivationSource } from '../features/activationSource.ts';
import type { SharedScorer } from '../dependencies.ts';
import type { TaskValidation } from './trainingTask.ts';

/** Values of K for F1@K. */
const TOP_K = [3, 5];

export interface ValidationOptions {
  scorer: SharedScorer;
  rows: readonly SnapshotRow[];
  source: ActivationSource;
  /** All categories; `seen` are the indices of those that are trained on. */
  categories: number;
  seen: readonly number[];
  /** The group whose mean of mAP and F1@3 is the score. */
  score: 'seen' | 'unseen' | 'all';
  report(images: number): void;
  signal: AbortSignal;
}

/** Scores held-back images and evaluates seen, unseen and all categories; figures in percent. */
export async function validateRanking(options: ValidationOptions): Promise<TaskValidation> {
  const { scorer, rows, source, categories, seen, report, signal } = options;
  const scores: Float32Array[] = [];
  const labels: Int8Array[] = [];
  const unread: FailedImage[] = [];
  try {
    for (let from = 0; from < rows.length; from += scorer.batchSize) {
      const images = rows.slice(from, from + scorer.batchSize);
      const numbers = images.map((_, i) => from + i);
      const { hidden, failed } = await source.read(numbers, images, signal);
      unread.push(...failed.values());
      const own = await scorer.run(hidden);
      for (const [i, row] of images.entries()) {
        if (failed.has(i)) continue;
        scores.push(own.subarray(i * categories, (i + 1) * categories));
        labels.push(labelsOf(row, categories));
      }
      report(from + images.length);
    }
  } finally {
    await scorer.release();
  }
  const allScores = new Float32Array(scores.length * categories);
  const allLabels = new Int8Array(scores.length * categories);
  for (const [i, own] of scores.entries()) {
    allScores.set(own, i * categories);
    allLabels.set(labels[i]!, i * categories);
  }
  const isSeen = new Set(seen);
  const unseen = Array.from({ length: categories }, (_, i) => i).filter((i) => !isSeen.has(i));
  const groups = { seen, unseen, all: [...seen, ...unseen] };
  const metrics: Validation['metrics'] = {};
  for (const [group, columns] of Object.entries(groups)) {
    if (columns.length === 0) continue;
    const { mAP, mAPOverCategoriesWithPositives, f1 } = evaluate(allScores, allLabels, {
      categoryCount: categories,
      topK: TOP_K,
      categories: Int32Array.from(columns),
    });
    metrics[group] = {
      mAP: 100 * mAP,
      mAPOverCategoriesWithPositives: 100 * mAPOverCategoriesWithPositives,
      ...Object.fromEntries(TOP_K.map((k) => [`F1@${k}`, 100 * f1[k]!.f1])),
    };
  }
  const group = metrics[options.score] ?? metrics['all']!;
  // mAP alone is flat soon, and its noise would pick an early round while F1 still rises (docs/decisions/0012-best-round.md).
  return {
    images: scores.length,
    score: (group['mAP']! + group['F1@3']!) / 2,
    metrics,
    unread: summariseFailed(unread),
  };
}

function labelsOf({ present, absent }: SnapshotRow, categories: number): Int8Array {
  const labels = new Int8Array(categories);
  if (absent === null) labels.fill(-1);
  else for (const category of absent) labels[category] = -1;
  for (const category of present) labels[category] = 1;
  return labels;
}
