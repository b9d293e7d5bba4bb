/**
 * Our contestant: steps of AdamW on a case, in a process of its own. It prints what it is (a line of JSON), then the
 * times of N steps in ms for each line `N` that it is given, and what matrix products reach for the line `limit`.
 *
 *     node bench/train/ourStep.ts FOLDER THREADS
 */
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';
import { Graph } from '../../model/onnx/graph.ts';
import * as op from '../../model/onnx/ops.ts';
import { createSession, type DeviceOptions } from '../../model/onnx/session.ts';
import { initialState } from '../../model/train/adamw.ts';
import { createRankingObjective } from '../../model/ranking/rankingObjective.ts';
import { createTrainer } from '../../model/train/trainer.ts';
import { COMPARED_STEPS, LIMIT, type Contestant } from './contestant.ts';
import { adamwSettings, readStepCase, SETTINGS } from './cases.ts';
import { stepFlops } from './flops.ts';

/** Measures a product of two 2048 x 2048 matrices: floating-point operations per second, the best of some runs. */
async function productLimit(device: DeviceOptions): Promise<() => Promise<number>> {
  const n = 2048;
  const graph = new Graph('product');
  const a = graph.input('a', 'float32', [n, n]);
  graph.output('y', op.reduceSum(op.matMul(a, graph.input('b', 'float32', [n, n])), 0));
  const session = await createSession(graph.encode(), device);
  const matrix = () => new ort.Tensor('float32', Float32Array.from({ length: n * n }, Math.random), [n, n]);
  const feeds = { a: matrix(), b: matrix() };
  return async () => {
    let bestMs = Infinity;
    for (let i = 0; i < 4; i++) {
      const startedMs = performance.now();
      await session.run(feeds);
      bestMs = Math.min(bestMs, performance.now() - startedMs);
    }
    return (2 * n ** 3) / (bestMs / 1000);
  };
}

const [dir, threads] = process.argv.slice(2) as [string, string];
const device: DeviceOptions = { provider: 'cpu', threads: Number(threads) };
const limit = await productLimit(device);
const loaded = readStepCase(dir);
const { step, parameters, options, batch } = loaded;
const { categories: maxCategories, batch: microBatch } = step;
const objective = await createRankingObjective({ ...options, maxCategories, microBatch }, device);
const trainer = await createTrainer(objective, parameters, adamwSettings, device);
let state = initialState(parameters);
const losses: number[] = [];
for (let i = 0; i < COMPARED_STEPS; i++) {
  const next = await trainer.step(state, batch, SETTINGS.rates);
  state = next.state;
  losses.push(next.losses['loss']!);
}
const contestant: Contestant = { losses, flops: stepFlops(loaded) };
console.log(JSON.stringify(contestant));
for await (const line of createInterface({ input: process.stdin })) {
  if (line === LIMIT) {
    console.log(JSON.stringify(await limit()));
    continue;
  }
  const timesMs: number[] = [];
  for (let i = 0; i < Number(line); i++) {
    const startedMs = performance.now();
    ({ state } = await trainer.step(state, batch, SETTINGS.rates));
    timesMs.push(performance.now() - startedMs);
  }
  console.log(JSON.stringify(timesMs));
}
await trainer.release();
