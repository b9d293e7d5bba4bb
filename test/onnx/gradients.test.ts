import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { Graph, type Tensor } from '../../model/onnx/graph.ts';
import { DIFFERENTIABLE, gradients } from '../../model/onnx/gradients.ts';
import { gelu, linear, quickGelu, unit } from '../../model/onnx/layers.ts';
import * as op from '../../model/onnx/ops.ts';
import { createSession } from '../../model/onnx/session.ts';
import { declareUses, transposeIndices, usesFeeds, type Uses } from '../../model/onnx/uses.ts';

interface Case {
  name: string;
  shapes: number[][];
  build: (inputs: Tensor[]) => Tensor;
  /** Draws inputs in this range; away from 0 where a rule has a corner or a pole there. */
  range?: [number, number];
  feeds?: Record<string, ort.Tensor>;
  /** Of the inputs; another one where the default draws a corner. */
  seed?: number;
}

/** Indices of a gather with repeats, padding and an entry that nothing uses; entry 1 is used more often than a piece holds. */
const indices = BigInt64Array.from([...Array.from({ length: 20 }, () => 1n), 0n, 3n, 0n, 1n]);
const uses = transposeIndices(indices, (place) => place !== 23, 5);
const tableShape = [6, 4];

const cases: Case[] = [
  {
    name: 'Add',
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: ([a, b]) => op.add(a!, b!),
  },
  { name: 'Add, a row to all', shapes: [[2, 3], [3]], build: ([a, b]) => op.add(a!, b!) },
  {
    name: 'Sub, a column and a row',
    shapes: [
      [2, 1],
      [1, 3],
    ],
    build: ([a, b]) => op.sub(a!, b!),
  },
  { name: 'Mul, a scalar', shapes: [[2, 3], []], build: ([a, b]) => op.mul(a!, b!) },
  {
    name: 'Mul, a stack and a matrix',
    shapes: [
      [4, 2, 3],
      [2, 3],
    ],
    build: ([a, b]) => op.mul(a!, b!),
  },
  {
    name: 'Div',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: ([a, b]) => op.div(a!, b!),
    range: [0.5, 2],
  },
  { name: 'Max', shapes: [[3, 4], [4]], build: ([a, b]) => op.maximum(a!, b!), seed: 8 },
  { name: 'Neg', shapes: [[3]], build: ([a]) => op.neg(a!) },
  { name: 'Exp', shapes: [[3]], build: ([a]) => op.exp(a!) },
  { name: 'Log', shapes: [[3]], build: ([a]) => op.log(a!), range: [0.5, 2] },
  { name: 'Sqrt', shapes: [[3]], build: ([a]) => op.sqrt(a!), range: [0.5, 2] },
  { name: 'Sigmoid', shapes: [[2, 3]], build: ([a]) => op.sigmoid(a!) },
  { name: 'Erf', shapes: [[2, 3]], build: ([a]) => op.erf(a!) },
  { name: 'LeakyRelu', shapes: [[4, 3]], build: ([a]) => op.leakyRelu(a!, 0.2) },
  { name: 'Where', shapes: [[2, 3], [3]], build: ([a, b]) => op.where(op.less(a!, 0), op.mul(a!, 2), b!) },
  { name: 'Identity', shapes: [[2]], build: ([a]) => a!.graph.node('Identity', [a!], {}, [a!])[0]! },
  {
    name: 'MatMul',
    shapes: [
      [2, 3],
      [3, 4],
    ],
    build: ([a, b]) => op.matMul(a!, b!),
  },
  {
    name: 'MatMul, a stack and a matrix',
    shapes: [
      [2, 5, 3],
      [3, 4],
    ],
    build: ([a, b]) => op.matMul(a!, b!),
  },
  {
    name: 'MatMul, a matrix and a stack',
    shapes: [
      [5, 3],
      [2, 3, 4],
    ],
    build: ([a, b]) => op.matMul(a!, b!),
  },
  {
    name: 'MatMul, stacks that broadcast',
    shapes: [
      [2, 1, 5, 3],
      [4, 3, 2],
    ],
    build: ([a, b]) => op.matMul(a!, b!),
  },
  { name: 'Transpose', shapes: [[2, 3, 4]], build: ([a]) => op.transpose(a!, [2, 0, 1]) },
  { name: 'Reshape', shapes: [[2, 6]], build: ([a]) => op.reshape(a!, [3, 4]) },
  { name: 'Unsqueeze', shapes: [[2, 3]], build: ([a]) => op.unsqueeze(a!, 1) },
  { name: 'Squeeze', shapes: [[2, 1, 3]], build: ([a]) => op.squeeze(a!, 1) },
  {
    name: 'Expand',
    shapes: [
      [1, 3],
      [2, 3],
    ],
    build: ([a, b]) => op.mul(op.expandTo(a!, b!), b!),
  },
  {
    name: 'Concat',
    shapes: [
      [2, 3],
      [2, 2],
    ],
    build: ([a, b]) => op.concat([a!, b!, a!], 1),
  },
  { name: 'Slice', shapes: [[2, 5]], build: ([a]) => op.slice(a!, 1, 1, 4) },
  { name: 'Pad', shapes: [[2, 3]], build: ([a]) => op.pad(a!, 1, 2, 1) },
  {
    name: 'Gather',
    shapes: [[2, 5, 3]],
    build: ([x]) => gatherWithUses(x!, 1, uses),
    feeds: usesFeeds('uses', uses),
  },
  {
    name: 'Gather of the first axis',
    shapes: [[5, 3]],
    build: ([x]) => gatherWithUses(x!, 0, uses),
    feeds: usesFeeds('uses', uses),
  },
  { name: 'Softmax', shapes: [[2, 3, 4]], build: ([a]) => op.softmax(a!) },
  { name: 'ReduceSum', shapes: [[2, 3, 4]], build: ([a]) => op.reduceSum(a!, 1) },
  { name: 'ReduceSum, kept', shapes: [[2, 3]], build: ([a]) => op.reduceSum(a!, 1, true) },
  { name: 'ReduceMean', shapes: [[2, 3, 4]], build: ([a]) => op.reduceMean(a!, -1) },
  { name: 'ReduceL2', shapes: [[3, 4]], build: ([a]) => op.reduceL2(a!, -1) },
  {
    name: 'LayerNormalization',
    shapes: [[3, 5], [5], [5]],
    build: ([x, w, b]) => op.layerNorm(x!, w!, b!, 1e-5),
  },
  { name: 'gelu', shapes: [[2, 3]], build: ([a]) => gelu(a!) },
  { name: 'quickGelu', shapes: [[2, 3]], build: ([a]) => quickGelu(a!) },
  { name: 'unit', shapes: [[2, 3]], build: ([a]) => unit(a!) },
  {
    name: 'linear, used twice',
    shapes: [[2, 3], [3, 3], [3]],
    build: ([x, w, b]) => linear(linear(x!, w!, b), w!, b),
  },
];

test.each(cases)(
  '$name: the gradient is the slope',
  async ({ shapes, build, range = [-1.5, 1.5], feeds: constant = {}, seed = 5 }) => {
    const graph = new Graph('check');
    const inputs = shapes.map((shape, i) => graph.input(`x${i}`, 'float32', shape));
    const y = build(inputs);
    // A fixed random combination of the outputs, so that every one of them counts, differently.
    const random = seeded(seed);
    const weights = graph.constant(
      Float32Array.from({ length: size(y.shape as number[]) }, () => random() - 0.5),
      y.shape as number[],
    );
    let loss = op.mul(y, weights);
    while (loss.rank > 0) loss = op.reduceSum(loss, 0);
    graph.output('loss', loss);
    for (const [i, gradient] of gradients(loss, inputs).entries()) {
      expect(gradient.shape).toEqual(shapes[i]);
      graph.output(`d${i}`, gradient);
    }
    const session = await createSession(graph.encode(), { provider: 'cpu', threads: 1 });
    const values = shapes.map((shape) =>
      Float32Array.from({ length: size(shape) }, () => range[0] + (range[1] - range[0]) * random()),
    );
    const run = async (given: Float32Array[]) => {
      const feeds = Object.fromEntries(
        given.map((data, i) => [`x${i}`, new ort.Tensor('float32', data, shapes[i])]),
      );
      return session.run({ ...constant, ...feeds });
    };
    const analytic = await run(values);
    const step = 1e-2;
    for (const [i, data] of values.entries()) {
      const gradient = analytic[`d${i}`]!.data as Float32Array;
      for (let k = 0; k < data.length; k++) {
        const at = async (delta: number) => {
          const moved = values.map((other) => other.slice());
          moved[i]![k]! += delta;
          return Number((await run(moved))['loss']!.data[0]);
        };
        // A central difference of fourth order: its error is far below that of float32 at this step.
        const slope =
          (8 * ((await at(step)) - (await at(-step))) - ((await at(2 * step)) - (await at(-2 * step)))) /
          (12 * step);
        expect(Math.abs(gradient[k]! - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
      }
    }
    await session.release();
  },
);

test('every rule is among the cases', () => {
  const covered = new Set(cases.map(({ name }) => name.split(',')[0]!.split(' ')[0]!));
  expect(DIFFERENTIABLE.filter((name) => !covered.has(name))).toEqual([]);
});

describe('no gradient, and the failure says where:', () => {
  const scalar = (x: Tensor): Tensor => op.reduceSum(x, 0);
  test('an op without a rule', () => {
    const x = new Graph('g').input('x', 'float32', [3]);
    expect(() => gradients(scalar(op.cumulativeSumBefore(x, 0)), [x])).toThrow(
      expect.objectContaining({
        code: 'Onnx.NoGradient',
        message: expect.stringMatching(/CumSum.*CumSum_/) as string,
      }),
    );
  });
  test('a parameter that the loss does not depend on', () => {
    const graph = new Graph('g');
    const [x, p] = [graph.input('x', 'float32', [3]), graph.input('p', 'float32', [2])];
    expect(() => gradients(scalar(x), [p])).toThrow(
      expect.objectContaining({ code: 'Onnx.NoGradient', message: expect.stringContaining('p ') as string }),
    );
  });
  test('a parameter behind a stop', () => {
    const x = new Graph('g').input('x', 'float32', [3]);
    expect(() => gradients(scalar(op.stopGradient(x)), [x])).toThrow(
      expect.objectContaining({ code: 'Onnx.NoGradient' }),
    );
  });
  test('a gather whose uses were not declared', () => {
    const x = new Graph('g').input('x', 'float32', [3]);
    expect(() => gradients(scalar(op.gather(x, x.graph.integers([0, 1]), 0)), [x])).toThrow(
      expect.objectContaining({ code: 'Onnx.NoGradient' }),
    );
  });
  test('a loss that is not a scalar', () => {
    const x = new Graph('g').input('x', 'float32', [3]);
    expect(() => gradients(x, [x])).toThrow(expect.objectContaining({ code: 'Onnx.NoGradient' }));
  });
});

test('an op without a rule does no harm where no parameter is behind it', () => {
  const graph = new Graph('g');
  const [x, p] = [graph.input('x', 'float32', [3]), graph.input('p', 'float32', [3])];
  const loss = op.reduceSum(op.mul(op.cumulativeSumBefore(x, 0), p), 0);
  expect(gradients(loss, [p])).toHaveLength(1);
});

function gatherWithUses(x: Tensor, axis: number, given: Uses): Tensor {
  const table = x.graph.constant(indices, tableShape);
  declareUses(x.graph, 'uses', table, given.entries.rows);
  const padding = x.graph.constant(
    Float32Array.from(indices, (_, place) => (place === 23 ? 0 : 1)),
    [...tableShape, 1],
  );
  return op.mul(op.gather(x, table, axis), padding);
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Mulberry32: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
