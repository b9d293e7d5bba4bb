import { Failure } from '../data/failure.ts';
import { topScores } from './topScores.ts';

/** Micro-averaged over all images. */
export interface F1 {
  precision: number;
  recall: number;
  f1: number;
}

/** Figures of one evaluation, in the protocol of the public MKT / BiAM code. */
export interface Metrics {
  /** [categories scored] 0 where a category has no positive. */
  apPerCategory: Float64Array;
  /** Mean over all categories scored; 0 where there are none. */
  mAP: number;
  /** Mean over the categories with at least one positive; 0 where there are none. */
  mAPOverCategoriesWithPositives: number;
  categoriesWithPositives: number;
  /** By K; images without a positive stay in (MKT, BiAM). */
  f1: Record<number, F1>;
  /** By K; images without a positive are left out (QKS). */
  f1DroppingImagesWithoutPositives: Record<number, F1>;
}

/**
 * Non-interpolated average precision: the sum over thresholds of (gain in recall) x precision. Equal scores share one
 * threshold, as in scikit-learn's `average_precision_score`.
 *
 * @param scores [n] finite.
 * @param labels [n] 1 present, -1 absent, 0 unknown: left out.
 * @returns 0 where no label is 1.
 * @throws Failure `Metrics.NotFinite`
 */
export function averagePrecision(scores: Float32Array, labels: Int8Array): number {
  const n = labels.length;
  const ranked = new Float64Array(n);
  let known = 0;
  let positives = 0;
  for (let i = 0; i < n; i++) {
    const label = labels[i]!;
    if (label === 0) continue;
    if (label > 0) positives++;
    ranked[known++] = 2 * rankOf(scores[i]!) + (label > 0 ? 1 : 0);
  }
  if (positives === 0) return 0;
  const order = ranked.subarray(0, known).sort();

  let sum = 0;
  let hits = 0;
  for (let i = known - 1; i >= 0;) {
    const rank = Math.floor(order[i]! / 2);
    const hitsBefore = hits;
    for (; i >= 0 && Math.floor(order[i]! / 2) === rank; i--) hits += order[i]! % 2;
    sum += (hits - hitsBefore) * (hits / (known - 1 - i));
  }
  return sum / positives;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * A float32 as an unsigned integer of the same order. Twice that plus a label still is an exact double, so that a
 * plain numeric sort, without a comparator and without an array of indices, sorts scores together with their labels.
 * Throws Failure `Metrics.NotFinite`.
 */
export function rankOf(score: number): number {
  if (!Number.isFinite(score))
    throw new Failure('Metrics.NotFinite', `A score to evaluate is ${score}.`, {
      hint: 'The model gave it: look for weights that are not finite.',
    });
  float[0] = score + 0; // -0 and 0 are equal
  const word = bits[0]!;
  return word >>> 31 === 1 ? ~word >>> 0 : (word | 0x80000000) >>> 0;
}

/** Counts F1@K image by image, so that no matrix of scores has to be kept. */
export interface F1Counter {
  /**
   * @param scores [C] of one image.
   * @param labels [C] as {@link averagePrecision}; the top K are taken over all categories, an unknown one among them
   *   counts as wrong.
   */
  add(scores: Float32Array, labels: Int8Array): void;
  /** @returns by K, for all images or only for those with a positive; 0 where nothing is defined. */
  result(images: 'all' | 'with-positives'): Record<number, F1>;
}

/** @param topK the values of K, each >= 1. Equal scores: the lower category index first. */
export function f1Counter(topK: readonly number[]): F1Counter {
  const deepest = Math.max(0, ...topK);
  const hits = topK.map(() => 0);
  let images = 0;
  let imagesWithPositives = 0;
  let positives = 0;
  return {
    add(scores, labels) {
      let present = 0;
      for (const label of labels) if (label > 0) present++;
      images++;
      // Without a positive an image has no hit: it only counts as K predictions.
      if (present === 0) return;
      imagesWithPositives++;
      positives += present;
      const top = topScores(scores, deepest);
      topK.forEach((k, at) => {
        for (let i = 0; i < k && i < top.length; i++) if (labels[top[i]!]! > 0) hits[at]!++;
      });
    },
    result(which) {
      const counted = which === 'all' ? images : imagesWithPositives;
      return Object.fromEntries(
        topK.map((k, at) => {
          const precision = ratio(hits[at]!, counted * k);
          const recall = ratio(hits[at]!, positives);
          return [k, { precision, recall, f1: ratio(2 * precision * recall, precision + recall) }];
        }),
      );
    },
  };
}

/** What is scored, and how. */
export interface EvaluationOptions {
  /** C, columns of the matrices. */
  categoryCount: number;
  /** Values of K for F1@K. */
  topK: readonly number[];
  /** Columns to score, all where it is missing: the unseen ones for ZSL, all for GZSL. */
  categories?: Int32Array;
}

/**
 * AP per category, its means, and F1@K.
 *
 * @param scores [N, C] row-major, finite.
 * @param labels [N, C] row-major: 1 present, -1 absent, 0 unknown.
 * @throws Failure `Metrics.Shape`, `Metrics.NotFinite`
 */
export function evaluate(scores: Float32Array, labels: Int8Array, options: EvaluationOptions): Metrics {
  const { categoryCount: columns, topK } = options;
  const categories = options.categories ?? Int32Array.from({ length: columns }, (_, c) => c);
  const images = columns === 0 ? 0 : labels.length / columns;
  if (scores.length !== labels.length || !Number.isInteger(images))
    throw new Failure(
      'Metrics.Shape',
      `${scores.length} scores and ${labels.length} labels do not make two matrices of ${columns} columns.`,
    );

  const columnScores = new Float32Array(images);
  const columnLabels = new Int8Array(images);
  const apPerCategory = new Float64Array(categories.length);
  let categoriesWithPositives = 0;
  for (const [at, c] of categories.entries()) {
    for (let i = 0; i < images; i++) {
      columnScores[i] = scores[i * columns + c]!;
      columnLabels[i] = labels[i * columns + c]!;
    }
    if (columnLabels.includes(1)) categoriesWithPositives++;
    apPerCategory[at] = averagePrecision(columnScores, columnLabels);
  }

  const counter = f1Counter(topK);
  const rowScores = new Float32Array(categories.length);
  const rowLabels = new Int8Array(categories.length);
  for (let i = 0; i < images; i++) {
    for (let at = 0; at < categories.length; at++) {
      const cell = i * columns + categories[at]!;
      rowScores[at] = scores[cell]!;
      rowLabels[at] = labels[cell]!;
    }
    counter.add(rowScores, rowLabels);
  }

  const sum = apPerCategory.reduce((total, ap) => total + ap, 0);
  return {
    apPerCategory,
    mAP: ratio(sum, categories.length),
    mAPOverCategoriesWithPositives: ratio(sum, categoriesWithPositives),
    categoriesWithPositives,
    f1: counter.result('all'),
    f1DroppingImagesWithoutPositives: counter.result('with-positives'),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
