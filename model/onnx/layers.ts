/** Layers that both CLIP and the head are made of, in terms of `ops.ts`. */
import type { Tensor } from './graph.ts';
import * as op from './ops.ts';

/** y = x Wᵀ + b. x [..., in], weight [out, in] (PyTorch's layout), bias [out] or none -> [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = op.matMul(x, op.transpose(weight, [1, 0]));
  return bias ? op.add(y, bias) : y;
}

/** GELU with the exact error function: x/2 (1 + erf(x/√2)). */
export function gelu(x: Tensor): Tensor {
  return op.mul(op.mul(x, 0.5), op.add(op.erf(op.mul(x, Math.SQRT1_2)), 1));
}

/** CLIP's approximation of GELU: x sigmoid(1.702 x). */
export function quickGelu(x: Tensor): Tensor {
  return op.mul(x, op.sigmoid(op.mul(x, 1.702)));
}

/** x / max(|x|, 1e-12) over the last axis. */
export function unit(x: Tensor): Tensor {
  return op.div(x, op.maximum(op.reduceL2(x, -1, true), 1e-12));
}

/** Sum of products over the last axis, which is dropped. */
export function dot(a: Tensor, b: Tensor): Tensor {
  return op.reduceSum(op.mul(a, b), -1);
}
