import { filledBins, type ScoreHistogram } from './scoreHistogram.ts';

/** Neighbouring bins that share one value. */
interface Block {
  /** Sum of logistic values, of positives, and of pairs. */
  x: number;
  positives: number;
  pairs: number;
}

/**
 * Knots [logistic value, calibrated score] of the isotonic correction of a logistic curve: the share of positives, pooled
 * where it would fall (pool adjacent violators), at the mean logistic value of each pool.
 */
export function fitIsotonic(
  histogram: ScoreHistogram,
  { slope, intercept }: { slope: number; intercept: number },
): [number, number][] {
  const blocks: Block[] = [];
  for (const { centre, positives, negatives } of filledBins(histogram)) {
    const pairs = positives + negatives;
    let block = { x: pairs / (1 + Math.exp(-(slope * centre + intercept))), positives, pairs };
    // Equal values too: a knot must rise in both.
    for (let last = blocks.at(-1); last && isBefore(block, last); last = blocks.at(-1)) {
      blocks.pop();
      block = {
        x: last.x + block.x,
        positives: last.positives + block.positives,
        pairs: last.pairs + block.pairs,
      };
    }
    blocks.push(block);
  }
  return blocks.map(({ x, positives, pairs }) => [x / pairs, positives / pairs]);
}

/** Whether a block must be one with the one before it. */
const isBefore = (block: Block, last: Block): boolean =>
  block.positives * last.pairs <= last.positives * block.pairs ||
  block.x / block.pairs <= last.x / last.pairs;
