/** Losses of contrastive pre-training, over a batch of B images and B texts. */
import type { Tensor } from '../onnx/graph.ts';
import * as op from '../onnx/ops.ts';

/** The logit scale is exp of a parameter; CLIP (Radford et al. 2021, 2.5) keeps it from growing beyond 100. */
const LARGEST_LOG_SCALE = Math.log(100);

/**
 * exp(min(`logScale`, log 100)), whose gradient is that of exp below the limit and above it alike: a clamp's would be 0
 * beyond the limit, and the parameter would never return. {@link limitedGradient} keeps it from going further.
 */
export function limitedScale(logScale: Tensor): Tensor {
  const excess = op.stopGradient(op.maximum(op.sub(logScale, LARGEST_LOG_SCALE), 0));
  return op.exp(op.sub(logScale, excess));
}

/** The gradient of `logScale`, or 0 where it would take a parameter that is beyond the limit further up. */
export function limitedGradient(gradient: Tensor, logScale: Tensor): Tensor {
  const upwards = op.and(op.greater(logScale, LARGEST_LOG_SCALE), op.less(gradient, 0));
  return op.where(upwards, 0, gradient);
}

/**
 * Symmetric contrastive loss: (H(rows) + H(columns)) / 2, with H the cross entropy of softmax(`scale` x `similarities`)
 * against `targets`, over the texts of each image and over the images of each text.
 *
 * similarities [B, B], image by text, in [-1, 1]. targets [B, B], symmetric, each row summing to 1 / B: what belongs
 * together. Where several texts are equal it is even over their pairs, so that none counts against another; the loss is
 * then never below the targets' own entropy, which is 0 where all texts differ.
 */
export function contrastiveLoss(similarities: Tensor, scale: Tensor, targets: Tensor): Tensor {
  const logits = op.mul(similarities, scale);
  const logLikelihood = op.add(logSoftmax(logits, 1), logSoftmax(logits, 0));
  const sum = op.reduceSum(op.reduceSum(op.mul(logLikelihood, targets), -1), -1);
  return op.mul(sum, -0.5);
}

/**
 * How well patches speak for texts: s_it = Σ_p a_itp cos(x_ip, t), a_it = softmax over p of cos(x_ip, t) / temperature.
 * patches [B, P, d] and texts [N, d], unit length -> [B, N], in [-1, 1]. The mean of the cosines, not the cosine of the
 * mean patch: the widest tensor is [B, N, P] instead of [B, N, d], and no patch gains by the company of others.
 */
export function attendedSimilarities(patches: Tensor, texts: Tensor, temperature: number): Tensor {
  const cosines = op.matMul(texts, op.transpose(patches, [0, 2, 1])); // [B, N, P]
  const attention = op.softmax(op.div(cosines, temperature));
  return op.reduceSum(op.mul(attention, cosines), -1);
}

/** log softmax along an axis, which stays finite for logits of any size. */
function logSoftmax(x: Tensor, axis: number): Tensor {
  const shifted = op.sub(x, op.stopGradient(op.reduceMax(x, axis, true)));
  return op.sub(shifted, op.log(op.reduceSum(op.exp(shifted), axis, true)));
}
