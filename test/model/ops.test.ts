import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { Graph, type Tensor } from '../../model/onnx/graph.ts';
import { gelu, linear, unit } from '../../model/onnx/layers.ts';
import * as op from '../../model/onnx/ops.ts';
import { decodeGraph } from '../../model/onnx/proto.ts';
import { createSession } from '../../model/onnx/session.ts';

/** Each op on [B, 2, 3] (and friends), with the shape that it should say it has. */
const cases: [string, (x: Tensor) => Tensor, (number | string)[]][] = [
  ['add with broadcasting', (x) => op.add(x, x.graph.constant(new Float32Array(3), [3])), ['B', 2, 3]],
  ['mul by a number', (x) => op.mul(x, 2), ['B', 2, 3]],
  ['matMul', (x) => op.matMul(x, x.graph.constant(new Float32Array(12), [3, 4])), ['B', 2, 4]],
  ['transpose', (x) => op.transpose(x, [0, 2, 1]), ['B', 3, 2]],
  ['reshape', (x) => op.reshape(x, ['B', 6]), ['B', 6]],
  ['unsqueeze', (x) => op.unsqueeze(x, 1), ['B', 1, 2, 3]],
  ['unsqueeze at the end', (x) => op.unsqueeze(x, -1), ['B', 2, 3, 1]],
  ['squeeze', (x) => op.squeeze(op.unsqueeze(x, 1), 1), ['B', 2, 3]],
  ['concat', (x) => op.concat([x, x], 1), ['B', 4, 3]],
  ['slice', (x) => op.slice(x, 2, 1, 3), ['B', 2, 2]],
  ['gather', (x) => op.gather(x, x.graph.constant(BigInt64Array.of(1n, 0n, 1n), [3]), 1), ['B', 3, 3]],
  ['expandTo', (x) => op.expandTo(x.graph.constant(new Float32Array(3), [1, 1, 3]), x), ['B', 2, 3]],
  ['softmax', (x) => op.softmax(x), ['B', 2, 3]],
  ['cumulativeSumBefore', (x) => op.cumulativeSumBefore(x, -1), ['B', 2, 3]],
  ['topK', (x) => op.topK(x, 2).values, ['B', 2, 2]],
  ['reduceSum', (x) => op.reduceSum(x, -1), ['B', 2]],
  ['reduceMax kept', (x) => op.reduceMax(x, 1, true), ['B', 1, 3]],
  ['where', (x) => op.where(op.less(x, 0), x, 0), ['B', 2, 3]],
  [
    'layerNorm',
    (x) =>
      op.layerNorm(
        x,
        x.graph.constant(Float32Array.of(1, 1, 1), [3]),
        x.graph.constant(new Float32Array(3), [3]),
        1e-5,
      ),
    ['B', 2, 3],
  ],
  ['leakyRelu', (x) => op.leakyRelu(x, 0.2), ['B', 2, 3]],
  ['gelu', gelu, ['B', 2, 3]],
  ['unit', unit, ['B', 2, 3]],
  [
    'linear',
    (x) =>
      linear(x, x.graph.constant(new Float32Array(15), [5, 3]), x.graph.constant(new Float32Array(5), [5])),
    ['B', 2, 5],
  ],
];

test.each(cases)('%s has the shape that ONNX Runtime gives it', async (_, build, shape) => {
  const graph = new Graph('op');
  const y = build(graph.input('x', 'float32', ['B', 2, 3]));
  expect(y.shape).toEqual(shape);
  graph.output('y', y);
  const session = await createSession(graph.encode(), { provider: 'cpu', threads: 1 });
  const result = await session.run({
    x: new ort.Tensor(
      'float32',
      new Float32Array(24).map((_, i) => Math.sin(i)),
      [4, 2, 3],
    ),
  });
  expect(result['y']!.dims).toEqual(shape.map((dim) => (dim === 'B' ? 4 : dim)));
  await session.release();
});

describe('an op that does not fit says so as it is built:', () => {
  const graph = new Graph('refused');
  const x = graph.input('x', 'float32', ['B', 2, 3]);
  const other = new Graph('other').input('z', 'float32', ['B', 2, 3]);
  test.each<[string, () => unknown]>([
    ['broadcasting 2 to 3', () => op.add(x, graph.constant(new Float32Array(2), [2]))],
    ['two symbols', () => op.add(x, graph.input('y', 'float32', ['C', 2, 3]))],
    ['inner sizes of a product', () => op.matMul(x, graph.constant(new Float32Array(8), [2, 4]))],
    ['a reshape that loses elements', () => op.reshape(x, ['B', 5])],
    ['a reshape that drops the batch', () => op.reshape(x, [6])],
    ['a slice past the end', () => op.slice(x, 2, 0, 4)],
    ['an axis that is not there', () => op.reduceSum(x, 3)],
    ['the size of a symbolic axis', () => x.size(0)],
    ['squeezing an axis of two', () => op.squeeze(x, 1)],
    ['a tensor of another graph', () => op.add(x, other)],
    ['too few values', () => graph.constant(new Float32Array(5), [2, 3])],
  ])('%s', (_, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'Onnx.Shape' }));
  });
});

test('topK gives of equal entries the lower index first', async () => {
  const graph = new Graph('ties');
  graph.output('indices', op.topK(graph.input('x', 'float32', [2, 6]), 4).indices);
  const session = await createSession(graph.encode(), { provider: 'cpu', threads: 2 });
  const { indices } = await session.run({
    x: new ort.Tensor('float32', Float32Array.of(1, 2, 2, 1, 2, 0, 3, 3, 3, 3, 3, 3), [2, 6]),
  });
  expect([...(indices!.data as BigInt64Array)]).toEqual([1n, 2n, 4n, 0n, 0n, 1n, 2n, 3n]);
  await session.release();
});

test('what is encoded decodes to the same nodes, inputs and outputs', () => {
  const graph = new Graph('round trip');
  const x = graph.input('x', 'float32', ['B', 3]);
  graph.output('y', op.leakyRelu(op.add(x, 1), 0.25));
  const decoded = decodeGraph(graph.encode());
  expect(decoded.node.map(({ opType }) => opType)).toEqual(['Add', 'LeakyRelu']);
  expect(decoded.node[1]!.attribute[0]).toMatchObject({ name: 'alpha', f: 0.25 });
  expect(decoded.input[0]!.type.tensorType.shape.dim).toMatchObject([{ dimParam: 'B' }, { dimValue: 3 }]);
  expect(decoded.output.map(({ name }) => name)).toEqual(['y']);
});

test('what no result depends on is not encoded', () => {
  const graph = new Graph('pruned');
  const x = graph.input('x', 'float32', [3]);
  const half = op.mul(x, 0.5);
  op.exp(op.exp(half));
  graph.output('y', op.add(half, 1));
  expect(decodeGraph(graph.encode()).node.map(({ opType }) => opType)).toEqual(['Mul', 'Add']);
});

test('a result that the graph goes on with, one under two names and an input as a result', async () => {
  const graph = new Graph('names');
  const x = graph.input('x', 'float32', [2]);
  const doubled = op.mul(x, 2);
  graph.output('doubled', doubled);
  graph.output('again', doubled);
  graph.output('next', op.add(doubled, 1));
  graph.output('same', x);
  const session = await createSession(graph.encode(), { provider: 'cpu' });
  const results = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, -3), [2]) });
  const values = Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, [...(data as Float32Array)]]),
  );
  expect(values).toEqual({ doubled: [2, -6], again: [2, -6], next: [3, -5], same: [1, -3] });
  await session.release();
});
