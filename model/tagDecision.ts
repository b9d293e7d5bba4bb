import type { Category } from '../data/categories.ts';
import { Failure } from '../data/failure.ts';
import type { Tag } from '../data/parquet/tagRows.ts';
import { applyCalibration, type Calibration } from './calibration.ts';
import { topScores } from './topScores.ts';

/** Tags of an uncalibrated model: so many, where nothing else is asked. */
export const DEFAULT_TOP_K = 10;

/** What decides which scores are tags. */
export interface TagDecisionOptions {
  /** What tags call the vocabulary. */
  vocabulary?: string | undefined;
  /** [C] in the order of the scores. */
  categories: readonly Pick<Category, 'name' | 'threshold'>[];
  /** The model's; scores are then written calibrated. */
  calibration?: Calibration;
  /** At most so many tags per image, >= 1. */
  topK?: number;
  /** The lowest written score that makes a tag, inclusive, for every category. */
  threshold?: number;
}

/** {@link TagDecisionOptions} made ready, once per vocabulary. */
export interface TagDecision {
  vocabulary: string | null;
  labels: readonly string[];
  /** [C] The lowest raw score, as a float32, that makes a tag. */
  minimums: Float32Array;
  limit: number;
  calibration: Calibration | undefined;
}

/**
 * Prepares the decision:
 *
 * - a score is a tag where it is at least its category's minimum: `threshold`, else the category's own, else, with a
 *   calibration and without `topK`, the calibration's for the category, else none;
 * - of those, the `topK` highest; without `topK`, all, but {@link DEFAULT_TOP_K} where neither `threshold`, nor a
 *   calibration, nor the categories' own thresholds (all of them) decide.
 *
 * Thresholds apply to the score that is written (calibrated with a calibration, else raw), compared as the number that
 * the row holds.
 */
export function tagDecision(options: TagDecisionOptions): TagDecision {
  const { categories, calibration, topK, threshold } = options;
  const fallback = topK === undefined ? calibration : undefined;
  const thresholds = categories.map(
    ({ name, threshold: own }) => threshold ?? own ?? (fallback && thresholdOf(fallback, name)),
  );
  // Many categories share the fallback: each threshold is inverted once.
  const inverted = new Map<number, number>();
  const minimums = Float32Array.from(thresholds, (written) => {
    if (written === undefined) return -Infinity;
    const known = inverted.get(written);
    if (known !== undefined) return known;
    const raw = lowestRaw(written, calibration);
    inverted.set(written, raw);
    return raw;
  });
  const undecided = thresholds.includes(undefined) && threshold === undefined && calibration === undefined;
  return {
    vocabulary: options.vocabulary ?? null,
    labels: categories.map(({ name }) => name),
    minimums,
    limit: Math.min(topK ?? (undecided ? DEFAULT_TOP_K : categories.length), categories.length),
    calibration,
  };
}

/**
 * The tags of one image: by descending raw score, and so by descending written score; equal raw scores in the order of
 * the categories. Written scores are float32: the raw score itself, or the calibrated one, which has the raw one beside it.
 *
 * @param scores [C] raw.
 * @throws Failure `Model.NotFinite` where a score is NaN or infinite.
 */
export function decideTags(scores: Float32Array, decision: TagDecision): Tag[] {
  const { vocabulary, labels, minimums, limit, calibration } = decision;
  for (let c = 0; c < scores.length; c++)
    if (!Number.isFinite(scores[c]))
      throw new Failure('Model.NotFinite', `The score of "${labels[c] ?? c}" is ${String(scores[c])}.`, {
        hint: 'The model gave it: look for weights that are not finite, or try another provider.',
      });
  return Array.from(topScores(scores, limit, minimums), (c) => {
    const raw = scores[c]!;
    const written =
      calibration === undefined
        ? { score: raw, rawScore: null }
        : { score: applyCalibration(raw, calibration), rawScore: raw };
    return { vocabulary, label: labels[c]!, ...written };
  });
}

/**
 * The tags of one image with several vocabularies: one vocabulary's after another's.
 *
 * @param scores raw, in the order of the vocabularies: [sum of C].
 * @throws Failure as {@link decideTags}
 */
export function decideAllTags(scores: Float32Array, decisions: readonly TagDecision[]): Tag[] {
  let from = 0;
  return decisions.flatMap((decision) => {
    const own = scores.subarray(from, (from += decision.labels.length));
    return decideTags(own, decision);
  });
}

/** The calibration's threshold of a category: its own, else the one that those without have. */
export function thresholdOf({ thresholds, fallbackThreshold }: Calibration, name: string): number {
  return Object.hasOwn(thresholds, name) ? thresholds[name]! : fallbackThreshold;
}

/**
 * The lowest float32 whose written score is at least `threshold`; NaN, which no score reaches, where there is none.
 * Found by bisection, so that deciding an image compares C numbers and calibrates only its tags.
 */
function lowestRaw(threshold: number, calibration: Calibration | undefined): number {
  const reaches = (score: number): boolean =>
    (calibration === undefined ? score : applyCalibration(score, calibration)) >= threshold;
  let low = orderOf(-Infinity);
  let high = orderOf(Infinity);
  if (reaches(-Infinity)) return -Infinity;
  if (!reaches(Infinity)) return NaN;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reaches(floatAt(middle))) high = middle;
    else low = middle;
  }
  return floatAt(high);
}

const float = new Float32Array(1);
const word = new Int32Array(float.buffer);

/** A float32's place among all float32, as an integer: neighbours differ by 1 (0 and -0 share a place). */
function orderOf(value: number): number {
  float[0] = value;
  return word[0]! < 0 ? -(word[0]! & 0x7fffffff) : word[0]!;
}

function floatAt(order: number): number {
  word[0] = order < 0 ? -order | 0x80000000 : order;
  return float[0]!;
}
