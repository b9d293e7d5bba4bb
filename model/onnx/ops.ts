/**
 * The ONNX ops that the method is written in, each with its shape rule. They take and return {@link Tensor} handles
 * and append one node to the graph of their inputs; a number stands for a float32 scalar. All throw `Onnx.Shape`
 * where shapes do not fit, so that a mistake names the op that it was made in, not a run of the finished graph.
 *
 * There is no ScatterND and no ScatterElements here, on purpose: with a reduction the first gives wrong sums on
 * several CPU threads (docs/decisions/0003-neighbour-tables.md).
 */
import { ONNX_TYPE } from './proto.ts';
import {
  describe,
  shapeFailure,
  type Attributes,
  type Dim,
  type DType,
  type Node,
  type Shape,
  type Tensor,
} from './graph.ts';

type Operand = Tensor | number;

function one(
  op: string,
  inputs: readonly Tensor[],
  shape: Shape,
  attributes: Attributes = {},
  dtype?: DType,
): Tensor {
  const first = inputs[0]!;
  return first.graph.node(op, inputs, attributes, [{ dtype: dtype ?? first.dtype, shape }])[0]!;
}

const unary =
  (op: string) =>
  (x: Tensor): Tensor =>
    one(op, [x], x.shape);

function binary(op: string, dtype?: DType) {
  return (a: Operand, b: Operand): Tensor => {
    const graph = typeof a === 'number' ? (b as Tensor).graph : a.graph;
    const left = typeof a === 'number' ? graph.scalar(a) : a;
    const right = typeof b === 'number' ? graph.scalar(b) : b;
    return one(op, [left, right], broadcast(op, left, right), {}, dtype);
  };
}

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const maximum = binary('Max');
export const less = binary('Less', 'bool');
export const greater = binary('Greater', 'bool');
export const lessOrEqual = binary('LessOrEqual', 'bool');
export const equal = binary('Equal', 'bool');
export const and = binary('And');

export const sigmoid = unary('Sigmoid');
export const erf = unary('Erf');
export const exp = unary('Exp');
export const log = unary('Log');
export const sqrt = unary('Sqrt');
export const neg = unary('Neg');

/** `x` as a constant: no gradient flows through it. */
export const stopGradient = (x: Tensor): Tensor => x.graph.stop(one('Identity', [x], x.shape));

export const leakyRelu = (x: Tensor, slope: number): Tensor =>
  one('LeakyRelu', [x], x.shape, { alpha: { float: slope } });

/** `x` brought into [low, high]. */
export const clip = (x: Tensor, low: number, high: number): Tensor =>
  one('Clip', [x, x.graph.scalar(low), x.graph.scalar(high)], x.shape);

/** `condition ? a : b`, elementwise with broadcasting. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const { graph } = condition;
  const [x, y] = [a, b].map((v) => (typeof v === 'number' ? graph.scalar(v) : v)) as [Tensor, Tensor];
  const shape = broadcastShapes('Where', broadcastShapes('Where', condition.shape, x.shape), y.shape);
  return graph.node('Where', [condition, x, y], {}, [{ dtype: x.dtype, shape }])[0]!;
}

export const cast = (x: Tensor, dtype: 'float32' | 'float16' | 'int64' | 'bool'): Tensor =>
  x.dtype === dtype ? x : one('Cast', [x], x.shape, { to: ONNX_TYPE[dtype] }, dtype);

/** Matrix product over the last two axes; leading axes broadcast. [..., m, k] x [..., k, n] -> [..., m, n]. */
export function matMul(a: Tensor, b: Tensor): Tensor {
  if (a.rank < 2 || b.rank < 2 || a.shape.at(-1) !== b.shape.at(-2)) {
    throw shapeFailure(`MatMul of ${describe(a)} and ${describe(b)}`);
  }
  const lead = broadcastShapes('MatMul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return one('MatMul', [a, b], [...lead, a.shape.at(-2)!, b.shape.at(-1)!]);
}

export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  if (perm.length !== x.rank) throw shapeFailure(`Transpose of ${describe(x)} by [${perm.join(', ')}]`);
  return one(
    'Transpose',
    [x],
    perm.map((axis) => x.shape[axis]!),
    { perm },
  );
}

/** Same elements, another shape; at most one dimension may be symbolic, and it must be one of `x`'s. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const symbolic = shape.filter((dim) => typeof dim === 'string');
  const known = (s: Shape) => s.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
  const fits = symbolic.length <= 1 && symbolic.every((dim) => x.shape.includes(dim));
  if (
    !fits ||
    known(shape) !== known(x.shape) ||
    symbolic.length !== x.shape.filter((d) => typeof d === 'string').length
  ) {
    throw shapeFailure(`Reshape of ${describe(x)} to [${shape.join(', ')}]`);
  }
  const target = x.graph.integers(shape.map((dim) => (typeof dim === 'number' ? dim : -1)));
  return one('Reshape', [x, target], shape);
}

export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = axis < 0 ? x.rank + 1 + axis : axis;
  return one('Unsqueeze', [x, x.graph.integers([at])], [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

export function squeeze(x: Tensor, axis: number): Tensor {
  const at = axisOf(x, axis);
  if (x.shape[at] !== 1) throw shapeFailure(`Squeeze of axis ${axis} of ${describe(x)}`);
  return one(
    'Squeeze',
    [x, x.graph.integers([at])],
    x.shape.filter((_, i) => i !== at),
  );
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const at = axisOf(first, axis);
  const total = parts.reduce((n, part) => n + part.size(at), 0);
  const shape = first.shape.map((dim, i) => (i === at ? total : dim));
  for (const part of parts) {
    if (part.rank !== first.rank || part.shape.some((dim, i) => i !== at && dim !== first.shape[i])) {
      throw shapeFailure(`Concat of ${describe(first)} and ${describe(part)} along ${axis}`);
    }
  }
  return one('Concat', parts, shape, { axis: at });
}

/** `x[from:to]` along one axis. */
export function slice(x: Tensor, axis: number, from: number, to: number): Tensor {
  const at = axisOf(x, axis);
  const size = x.size(at);
  if (from === 0 && to === size) return x;
  if (from < 0 || to > size || from >= to)
    throw shapeFailure(`Slice ${from}:${to} along ${axis} of ${describe(x)}`);
  const { graph } = x;
  const shape = x.shape.map((dim, i) => (i === at ? to - from : dim));
  const y = one('Slice', [x, graph.integers([from]), graph.integers([to]), graph.integers([at])], shape);
  return withParameters(y, { axis: at, from, to });
}

/** The axis and bounds of a Slice node that {@link slice} made. */
export const sliceOf = (node: Node): { axis: number; from: number; to: number } =>
  parametersOf(node) as { axis: number; from: number; to: number };

/** The axis and counts of a Pad node that {@link pad} made. */
export const padOf = (node: Node): { axis: number; before: number } =>
  parametersOf(node) as { axis: number; before: number };

/** The axis that a reduction node reduces. */
export const axisOfReduction = (node: Node): number => (parametersOf(node) as { axis: number }).axis;

/**
 * What an op was asked for in numbers, where ONNX takes them as constant inputs: its gradient rule needs them, and
 * reading them back out of the graph would be a second way to say the same.
 */
const parameters = new WeakMap<Tensor, object>();

function withParameters(y: Tensor, given: object): Tensor {
  parameters.set(y, given);
  return y;
}

const parametersOf = (node: Node): object => parameters.get(node.outputs[0]!)!;

/** All axes but the last as one: [..., n] -> [rows, n]. */
export const flattenRows = (x: Tensor): Tensor => mergeAxes(x, 0, x.rank - 1);

/** Axes [from, to) as one; those after them have fixed sizes. */
export function mergeAxes(x: Tensor, from: number, to: number): Tensor {
  if (to - from === 1) return x;
  const after = x.shape.slice(to).map((_, i) => x.size(to + i));
  // 0 keeps an axis, -1 takes what remains.
  const target = x.graph.integers([...x.shape.slice(0, from).map(() => 0), -1, ...after]);
  return one('Reshape', [x, target], [...x.shape.slice(0, from), rowsDim(x.shape.slice(from, to)), ...after]);
}

/** The product of dimensions: a number, or a name made of theirs. */
function rowsDim(dims: Shape): Dim {
  if (dims.every((dim) => typeof dim === 'number')) return dims.reduce((a, b) => a * b, 1);
  return dims.join('*');
}

/** Entries of `x` along `axis` at `indices` (int64, any rank). */
export function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  const at = axisOf(x, axis);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return one('Gather', [x, indices], shape, { axis: at });
}

/** Repeats axes of size 1, and adds leading ones, so that `x` has the shape of `like`. */
export function expandTo(x: Tensor, like: Tensor): Tensor {
  if (x.shape.length === like.shape.length && x.shape.every((dim, i) => dim === like.shape[i])) return x;
  const { graph } = x;
  broadcastShapes('Expand', x.shape, like.shape);
  const shape = graph.node('Shape', [like], {}, [{ dtype: 'int64', shape: [like.rank] }])[0]!;
  return one('Expand', [x, shape], like.shape);
}

/** Zeros before and after `x` along one axis. */
export function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  const at = axisOf(x, axis);
  if (before === 0 && after === 0) return x;
  const shape = x.shape.map((dim, i) => (i === at ? x.size(at) + before + after : dim));
  const pads = (count: number) => x.shape.map((_, i) => (i === at ? count : 0));
  const y = one('Pad', [x, x.graph.integers([...pads(before), ...pads(after)])], shape);
  return withParameters(y, { axis: at, before });
}

export const softmax = (x: Tensor, axis = -1): Tensor =>
  one('Softmax', [x], x.shape, { axis: axisOf(x, axis) });

/** Exclusive cumulative sum along an axis: entry i is the sum of the entries before it. */
export const cumulativeSumBefore = (x: Tensor, axis: number): Tensor => {
  const at = x.graph.constant(BigInt64Array.of(BigInt(axisOf(x, axis))), []);
  return one('CumSum', [x, at], x.shape, { exclusive: 1 });
};

/** The `k` largest entries of the last axis in descending order, and their indices; of equals, the lower index first. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const shape = [...x.shape.slice(0, -1), k];
  const results = [
    { dtype: x.dtype, shape },
    { dtype: 'int64' as const, shape },
  ];
  const [values, indices] = x.graph.node(
    'TopK',
    [x, x.graph.integers([k])],
    { axis: -1, largest: 1, sorted: 1 },
    results,
  );
  return { values: values!, indices: indices! };
}

const reduction =
  (op: string) =>
  (x: Tensor, axis: number, keepDims = false): Tensor => {
    const at = axisOf(x, axis);
    const shape = keepDims
      ? x.shape.map((dim, i) => (i === at ? 1 : dim))
      : x.shape.filter((_, i) => i !== at);
    const y = one(op, [x, x.graph.integers([at])], shape, { keepdims: keepDims ? 1 : 0 });
    return withParameters(y, { axis: at });
  };

export const reduceSum = reduction('ReduceSum');
export const reduceMean = reduction('ReduceMean');
export const reduceMin = reduction('ReduceMin');
export const reduceMax = reduction('ReduceMax');
export const reduceL2 = reduction('ReduceL2');

/** Layer normalisation over the last axis. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return one('LayerNormalization', [x, weight, bias], x.shape, { axis: -1, epsilon: { float: epsilon } });
}

function axisOf(x: Tensor, axis: number): number {
  const at = axis < 0 ? x.rank + axis : axis;
  if (at < 0 || at >= x.rank) throw shapeFailure(`axis ${axis} of ${describe(x)}`);
  return at;
}

function broadcast(op: string, a: Tensor, b: Tensor): Shape {
  try {
    return broadcastShapes(op, a.shape, b.shape);
  } catch {
    throw shapeFailure(`${op} of ${describe(a)} and ${describe(b)}`);
  }
}

/** NumPy's broadcasting rule, with symbolic dimensions equal only to themselves and 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i): Dim => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw shapeFailure(`${op} of [${a.join(', ')}] and [${b.join(', ')}]`);
    return x === 1 ? y : x;
  });
}
