/** Losses of training (docs/method.md). Each is a sum over the batch of per-image losses times `imageWeights` [B]. */
import type { Tensor } from '../onnx/graph.ts';
import * as op from '../onnx/ops.ts';

export interface RankingInputs {
  /** [B, C] in [-1, 1] */
  scores: Tensor;
  /** [B, C]: 1 present, -1 absent, 0 unknown. */
  labels: Tensor;
  /** Which categories are present: their indices as float32 [B, M], M the most of any image; padding is -1. */
  positives: Tensor;
  /** [B]: 1 / B for the mean; 0 leaves an image out. */
  imageWeights: Tensor;
  margin: number;
  /** Multiplies the cosines, whose spread is otherwise below the margin. */
  scale: number;
}

/**
 * Ranking loss: per image the sum over (present p, absent n) of max(0, margin + scale (s_n - s_p)), divided by the
 * number of pairs above zero, which is a constant in the gradient. The widest tensor is [B, M, C]: an image has few
 * present categories, so the pairs of all categories are never made.
 */
export function rankingLoss({
  scores,
  labels,
  positives,
  imageWeights,
  margin,
  scale,
}: RankingInputs): Tensor {
  const { graph } = scores;
  const categories = scores.size(1);
  const index = graph.constant(
    Float32Array.from({ length: categories }, (_, c) => c),
    [categories],
  );
  const present = op.cast(op.equal(op.unsqueeze(positives, 2), index), 'float32'); // [B, M, C], one 1 per row, none in padding
  const others = op.unsqueeze(scores, 1); // [B, 1, C]
  const own = op.reduceSum(op.mul(present, others), -1, true); // [B, M, 1]
  const violation = op.add(op.mul(op.sub(others, own), scale), margin); // [B, M, C]
  const isPair = op.and(op.less(op.unsqueeze(labels, 1), 0), op.unsqueeze(op.greater(positives, -0.5), 2));
  const counts = op.and(isPair, op.greater(violation, 0));
  const sum = perImage(op.where(counts, violation, 0));
  const count = op.stopGradient(perImage(op.cast(counts, 'float32')));
  return op.reduceSum(op.mul(op.div(sum, op.add(count, 1e-8)), imageWeights), 0);
}

/** Distillation: |f - f₀|² per image, f₀ from the frozen encoder; both [B, d], unit length. */
export function distillationLoss(global: Tensor, frozen: Tensor, imageWeights: Tensor): Tensor {
  const difference = op.sub(global, op.stopGradient(frozen));
  return op.reduceSum(op.mul(op.reduceSum(op.mul(difference, difference), -1), imageWeights), 0);
}

const perImage = (pairs: Tensor): Tensor => op.reduceSum(op.reduceSum(pairs, -1), -1); // [B, M, C] -> [B]
