/**
 * Reverse-mode differentiation of a graph: `gradients(loss, parameters)` appends the backward pass, in the same ops.
 *
 * One table holds the rule of each op. A rule returns one entry per input: the gradient of the loss with respect to it,
 * in the shape of the op's output where the op broadcasts (the walker sums it down to the input's shape, in one place),
 * or null where the input is not a quantity that one differentiates by (an axis, an index, a condition).
 */
import { Failure } from '../../data/failure.ts';
import { describe, type Node, type Tensor } from './graph.ts';
import * as op from './ops.ts';
import { sumUses, usesOf } from './uses.ts';

type Rule = (dy: Tensor, node: Node) => (Tensor | null)[];

const x0 = (node: Node): Tensor => node.inputs[0]!;
const x1 = (node: Node): Tensor => node.inputs[1]!;
const y0 = (node: Node): Tensor => node.outputs[0]!;

const integerAttribute = (node: Node, name: string): number => node.attributes[name] as number;

/** Takes anything that matters beyond 1 without taking anything to infinity. */
const STEEP = 1e30;

const RULES: Readonly<Record<string, Rule>> = {
  // y = a + b
  Add: (dy) => [dy, dy],
  // y = a - b
  Sub: (dy) => [dy, op.neg(dy)],
  // da = dy b, db = dy a
  Mul: (dy, node) => [op.mul(dy, x1(node)), op.mul(dy, x0(node))],
  // da = dy / b, db = -dy y / b
  Div: (dy, node) => {
    const da = op.div(dy, x1(node));
    return [da, op.neg(op.mul(da, y0(node)))];
  },
  // The larger one takes it; of equals, the first, as PyTorch's clamp does.
  Max: (dy, node) => {
    const second = op.less(x0(node), x1(node));
    return [op.where(second, 0, dy), op.where(second, dy, 0)];
  },
  Neg: (dy) => [op.neg(dy)],
  // dx = dy y
  Exp: (dy, node) => [op.mul(dy, y0(node))],
  // dx = dy / x
  Log: (dy, node) => [op.div(dy, x0(node))],
  // dx = dy / 2y
  Sqrt: (dy, node) => [op.div(op.mul(dy, 0.5), y0(node))],
  // dx = dy y - dy y², of terms that have dy in them: what has y alone would be computed early and kept until then.
  Sigmoid: (dy, node) => {
    const scaled = op.mul(dy, y0(node));
    return [op.sub(scaled, op.mul(scaled, y0(node)))];
  },
  // dx = dy 2/√π exp(-x²)
  Erf: (dy, node) => [op.mul(dy, op.mul(op.exp(op.neg(op.mul(x0(node), x0(node)))), 2 / Math.sqrt(Math.PI)))],
  // 1 or the slope by the sign of y, which is x's. ONNX Runtime takes several times as long for a Where.
  LeakyRelu: (dy, node) => {
    const { float: slope } = node.attributes['alpha'] as { float: number };
    return [op.mul(dy, op.clip(op.mul(y0(node), STEEP), slope, 1))];
  },
  Where: (dy, node) => [null, op.where(x0(node), dy, 0), op.where(x0(node), 0, dy)],
  Identity: (dy) => [dy],
  // dA = dY Bᵀ, dB = Aᵀ dY
  MatMul: (dy, node) => [op.matMul(dy, swapLast(x1(node))), matMulRight(dy, node)],
  Transpose: (dy, node) => {
    const perm = node.attributes['perm'] as readonly number[];
    // A weight's gradient Aᵀ dY, transposed, is dYᵀ A; the product itself is then no longer needed.
    const product = dy.rank === 2 ? dy.graph.producerOf(dy) : undefined;
    if (product?.op === 'MatMul' && perm[0] === 1)
      return [op.matMul(swapLast(x1(product)), swapLast(x0(product)))];
    return [
      op.transpose(
        dy,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
    ];
  },
  Reshape: (dy, node) => [op.reshape(dy, x0(node).shape), null],
  Unsqueeze: (dy, node) => [op.reshape(dy, x0(node).shape), null],
  Squeeze: (dy, node) => [op.reshape(dy, x0(node).shape), null],
  Expand: (dy) => [dy, null],
  Concat: (dy, node) => {
    const axis = integerAttribute(node, 'axis');
    let start = 0;
    return node.inputs.map((part) => op.slice(dy, axis, start, (start += part.size(axis))));
  },
  Slice: (dy, node) => {
    const { axis, from, to } = op.sliceOf(node);
    return [op.pad(dy, axis, from, x0(node).size(axis) - to), null, null, null];
  },
  Pad: (dy, node) => {
    const { axis, before } = op.padOf(node);
    return [op.slice(dy, axis, before, before + x0(node).size(axis)), null];
  },
  // Every use of an entry adds to it: a gather of the uses, not a scatter.
  Gather: (dy, node) => [sumUses(dy, x0(node), integerAttribute(node, 'axis'), usesOf(x1(node))), null],
  // dx = y (dy - Σ dy y)
  Softmax: (dy, node) => {
    const weighted = op.mul(dy, y0(node));
    return [op.sub(weighted, op.mul(y0(node), op.reduceSum(weighted, integerAttribute(node, 'axis'), true)))];
  },
  ReduceSum: (dy, node) => [spread(dy, node), null],
  ReduceMean: (dy, node) => [op.div(spread(dy, node), x0(node).size(op.axisOfReduction(node))), null],
  // dx = dy x / |x|; 0 at the origin, where there is no direction
  ReduceL2: (dy, node) => {
    const norm = op.maximum(keptAxis(y0(node), node), 1e-30);
    return [op.mul(op.div(x0(node), norm), spread(dy, node)), null];
  },
  // With x̂ the normalised input and g = dy γ: dx = (g - mean g - x̂ mean(g x̂)) / σ, dγ = Σ dy x̂, dβ = Σ dy
  LayerNormalization: (dy, node) => {
    const { float: epsilon } = node.attributes['epsilon'] as { float: number };
    const centred = op.sub(x0(node), op.reduceMean(x0(node), -1, true));
    const deviation = op.sqrt(op.add(op.reduceMean(op.mul(centred, centred), -1, true), epsilon));
    const normalised = op.div(centred, deviation);
    const g = op.mul(dy, x1(node));
    const along = op.mul(normalised, op.reduceMean(op.mul(g, normalised), -1, true));
    const dx = op.div(op.sub(op.sub(g, op.reduceMean(g, -1, true)), along), deviation);
    return [dx, op.mul(dy, normalised), dy];
  },
};

/** Ops that have a gradient rule. */
export const DIFFERENTIABLE: readonly string[] = Object.keys(RULES);

/**
 * The gradients of `loss`, a scalar, with respect to each of `parameters`, in their shapes. Only what lies between a
 * parameter and the loss is differentiated. A parameter that the loss does not depend on, and an op without a rule on
 * the way to one, throw `Onnx.NoGradient` with the node's and the op's name.
 */
export function gradients(loss: Tensor, parameters: readonly Tensor[]): Tensor[] {
  const { graph } = loss;
  if (loss.rank !== 0) throw new Failure('Onnx.NoGradient', `${describe(loss)} is not a scalar.`);
  const leadsToParameter = new Set<Tensor>(parameters);
  const forward = [...graph.nodes];
  for (const { inputs, outputs } of forward) {
    if (!inputs.some((input) => leadsToParameter.has(input))) continue;
    for (const output of outputs) if (!graph.isStopped(output)) leadsToParameter.add(output);
  }
  const sums = new Map<Tensor, Tensor>([[loss, graph.scalar(1)]]);
  for (const node of forward.reverse()) {
    const [output] = node.outputs;
    const dy = sums.get(output!);
    if (!dy || !leadsToParameter.has(output!)) continue;
    const rule = RULES[node.op];
    if (!rule) throw new Failure('Onnx.NoGradient', `${node.op} (${node.name}) has no gradient rule.`);
    for (const [i, entry] of rule(dy, node).entries()) {
      const input = node.inputs[i]!;
      if (!entry || !leadsToParameter.has(input)) continue;
      const own = sumToShape(entry, input);
      const sum = sums.get(input);
      sums.set(input, sum ? op.add(sum, own) : own);
    }
  }
  return parameters.map((parameter) => {
    const sum = sums.get(parameter);
    if (!sum) throw new Failure('Onnx.NoGradient', `The loss does not depend on ${describe(parameter)}.`);
    return op.expandTo(sum, parameter);
  });
}

/** Undoes broadcasting: sums `dy` over the axes along which `x` was repeated. */
function sumToShape(dy: Tensor, x: Tensor): Tensor {
  const leading = dy.rank - x.rank;
  const fixed = x.shape.every((dim) => typeof dim === 'number');
  // One sum over all of them where their sizes allow it: each one by itself would write what the next one reads.
  let sum = leading > 1 && fixed ? op.reduceSum(op.mergeAxes(dy, 0, leading), 0) : dy;
  while (sum.rank > x.rank) sum = op.reduceSum(sum, 0);
  for (const [axis, dim] of x.shape.entries()) {
    const at = axis - x.rank + sum.rank;
    if (at >= 0 && dim === 1 && sum.shape[at] !== 1) sum = op.reduceSum(sum, at, true);
  }
  return sum;
}

/** Aᵀ dY. For a matrix B and a stack of A, one product over all rows of the stack, never a stack of products. */
function matMulRight(dy: Tensor, node: Node): Tensor {
  const [a, b] = [x0(node), x1(node)];
  if (b.rank > 2) return op.matMul(swapLast(a), dy);
  const rows = (x: Tensor): Tensor => op.flattenRows(x);
  return op.matMul(op.transpose(rows(a), [1, 0]), rows(dy));
}

/** Xᵀ over the last two axes; of what is such a transpose, what it was made of. */
function swapLast(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const perm = [...axes.slice(0, -2), x.rank - 1, x.rank - 2];
  const producer = x.graph.producerOf(x);
  if (
    producer?.op === 'Transpose' &&
    perm.every((axis, i) => (producer.attributes['perm'] as number[])[i] === axis)
  )
    return x0(producer);
  return op.transpose(x, perm);
}

/** The gradient of a reduction's result, repeated along the axis that it reduced. */
const spread = (dy: Tensor, node: Node): Tensor => op.expandTo(keptAxis(dy, node), x0(node));

/** A reduction's result (or its gradient) with the reduced axis kept as one of size 1. */
function keptAxis(y: Tensor, node: Node): Tensor {
  return y.rank === x0(node).rank ? y : op.unsqueeze(y, op.axisOfReduction(node));
}
