/** Intra-category semantic refinement (ISR): which patches of an image speak for a category. */
import type { Tensor } from '../onnx/graph.ts';
import { unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';

export interface IsrSettings {
  /** `fixed`: the `patches` most similar ones (after MKT's patch matching); `off` selects nothing. */
  isr: 'adaptive' | 'fixed' | 'off';
  patches: number;
  tau: number;
  alpha: number;
  cap: number;
}

/**
 * The patches kept for each category (eq. 4-5): softmax over patches of cos(patch, text) / tau; the most probable, in
 * order, until they sum to alpha, at most `cap`; with `fixed` the first `patches` of that order. Equal probabilities:
 * the lower patch index first.
 *
 * patches [B, P, d] and text [n, d], unit length -> keep [B, n, P] in {0, 1}.
 */
export function selectPatches(patches: Tensor, text: Tensor, settings: IsrSettings): Tensor {
  const { graph } = patches;
  const { tau, alpha, cap } = settings;
  const fixed = settings.isr === 'fixed';
  const count = patches.size(1);
  const probability = patchProbabilities(patches, text, tau);
  const best = op.topK(probability, Math.min(fixed ? settings.patches : cap, count)); // [B, n, k], descending
  // A probability is never negative: of a fixed number, all are kept.
  const kept = fixed ? op.greater(best.values, -1) : op.less(op.cumulativeSumBefore(best.values, -1), alpha);
  // The kept patches are a prefix of that order, so its last entry tells them apart from the rest without a scatter:
  // those more probable, and of those as probable, those with an index no higher.
  const lowest = op.reduceMin(op.where(kept, best.values, 2), -1, true); // [B, n, 1]
  const tied = op.and(kept, op.equal(best.values, lowest));
  const index = graph.constant(
    Float32Array.from({ length: count }, (_, p) => p),
    [count],
  );
  const last = op.reduceMax(op.where(tied, op.gather(index, best.indices, 0), -1), -1, true); // [B, n, 1]
  const isLowest = op.and(op.equal(probability, lowest), op.lessOrEqual(index, last));
  // Not a cast of indices nor Or, for which WebGPU has no kernel.
  const others = op.cast(isLowest, 'float32');
  return op.stopGradient(op.where(op.greater(probability, lowest), 1, others));
}

/** How much each patch speaks for each category (eq. 4): softmax over patches of cos(patch, text) / tau, [B, n, P]. */
export function patchProbabilities(patches: Tensor, text: Tensor, tau: number): Tensor {
  const similarity = op.matMul(text, op.transpose(patches, [0, 2, 1]));
  return op.softmax(op.div(similarity, tau));
}

/** f_L [B, n, d]: the unit-length mean of the kept patches. keep [B, n, P], patches [B, P, d]. */
export function poolPatches(patches: Tensor, keep: Tensor): Tensor {
  return unit(op.div(op.matMul(keep, patches), op.reduceSum(keep, -1, true)));
}
