/**
 * Average precision of one category, and how much each image has to do with it.
 *
 * With weights w on the images, tied groups g of equal scores from the highest, h_g the weight of their positives, T_g and
 * A_g the weight of the positives and of all images down to g, and P that of all positives:
 *
 *     AP(w) = 1/P * sum_g h_g T_g / A_g
 *
 * Its gradient at w = 1 is the influence of each image j, in group q, with label y_j in {0, 1}:
 *
 *     dAP/dw_j = 1/P * ( y_j (T_q/A_q - AP + sum_{g>=q} h_g/A_g) - sum_{g>=q} h_g T_g/A_g^2 )
 *
 * A resample of the images changes AP by the sum of (w_j - 1) * dAP/dw_j, to first order (the infinitesimal jackknife):
 * a bootstrap of thousands of categories then takes one number per image and no second look at the scores.
 */
import { Failure } from '../../data/failure.ts';
import { rankOf } from '../metrics.ts';

/** Images are numbered in 21 bits beside a score's 32 in the 53 of an exact double. */
const MOST_IMAGES = 2 ** 21;

/** Sorts the columns of one evaluation; its buffers are used again. */
export class RankedPrecision {
  private readonly images: number;
  private readonly keys: Float64Array;

  /**
   * @param images N
   * @throws Failure `Metrics.TooManyImages`
   */
  constructor(images: number) {
    if (images > MOST_IMAGES)
      throw new Failure(
        'Metrics.TooManyImages',
        `${images} images are more than the ${MOST_IMAGES} allowed.`,
        {
          hint: 'Evaluate on a sample of them: the intervals say how much that is worth.',
        },
      );
    this.images = images;
    this.keys = new Float64Array(images);
  }

  /**
   * The average precision of a category, as `averagePrecision` of model/metrics.ts, and the images' influences on it.
   *
   * @param scores [N] finite.
   * @param labels [N] 1 present, -1 absent, 0 unknown: left out, without influence.
   * @param influences [N] where given, each image's influence is added to it.
   * @returns `ap` 0 where no label is 1; `variance` the sum of the squared influences: that of AP over samples of images.
   * @throws Failure `Metrics.NotFinite`
   */
  measure(
    scores: Float32Array,
    labels: Int8Array,
    influences?: Float64Array,
  ): { ap: number; variance: number; known: number; positives: number } {
    let known = 0;
    let positives = 0;
    for (let i = 0; i < this.images; i++) {
      const label = labels[i]!;
      if (label === 0) continue;
      if (label > 0) positives++;
      this.keys[known++] = rankOf(scores[i]!) * MOST_IMAGES + i;
    }
    if (positives === 0) return { ap: 0, variance: 0, known, positives };
    const order = this.keys.subarray(0, known).sort(); // the highest score last
    const ap = this.averagePrecision(order, labels, positives);
    const variance = this.spread(order, labels, { ap, positives }, influences);
    return { ap, variance, known, positives };
  }

  private averagePrecision(order: Float64Array, labels: Int8Array, positives: number): number {
    let sum = 0;
    let hits = 0;
    for (let end = order.length; end > 0;) {
      const start = groupStart(order, end);
      const before = hits;
      for (let i = start; i < end; i++) if (labels[order[i]! % MOST_IMAGES]! > 0) hits++;
      sum += (hits - before) * (hits / (order.length - start));
      end = start;
    }
    return sum / positives;
  }

  /** From the lowest group up, so that the sums over g >= q are at hand. Returns the sum of squares. */
  private spread(
    order: Float64Array,
    labels: Int8Array,
    { ap, positives }: { ap: number; positives: number },
    influences: Float64Array | undefined,
  ): number {
    let hits = positives; // T_q
    let gain = 0; // sum of h_g / A_g
    let loss = 0; // sum of h_g T_g / A_g^2
    let squares = 0;
    for (let start = 0; start < order.length;) {
      const end = groupEnd(order, start);
      const all = order.length - start; // A_q
      let own = 0; // h_q
      for (let i = start; i < end; i++) if (labels[order[i]! % MOST_IMAGES]! > 0) own++;
      gain += own / all;
      loss += (own * hits) / (all * all);
      const ofPositive = (hits / all - ap + gain - loss) / positives;
      const ofNegative = -loss / positives;
      for (let i = start; i < end; i++) {
        const image = order[i]! % MOST_IMAGES;
        const influence = labels[image]! > 0 ? ofPositive : ofNegative;
        squares += influence * influence;
        if (influences) influences[image]! += influence;
      }
      hits -= own;
      start = end;
    }
    return squares;
  }
}

const scoreOf = (key: number): number => Math.floor(key / MOST_IMAGES);

/** First position of the group of equal scores that ends before `end`. */
function groupStart(order: Float64Array, end: number): number {
  const score = scoreOf(order[end - 1]!);
  let start = end - 1;
  while (start > 0 && scoreOf(order[start - 1]!) === score) start--;
  return start;
}

function groupEnd(order: Float64Array, start: number): number {
  const score = scoreOf(order[start]!);
  let end = start + 1;
  while (end < order.length && scoreOf(order[end]!) === score) end++;
  return end;
}
