/** AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as a graph: one run is one update of all parameters. */
import * as ort from 'onnxruntime-node';
import { Graph, type Tensor } from '../onnx/graph.ts';
import * as op from '../onnx/ops.ts';
import { createSession, type DeviceOptions } from '../onnx/session.ts';
import type { Parameters } from './parameters.ts';

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Whether a parameter decays, by its name. */
  decays(name: string): boolean;
  /** The parameters' groups by name: each has a learning rate of its own. */
  groupOf(name: string): string;
  /** The gradients' global norm is brought down to this; undefined: as it is. */
  clipNorm?: number;
}

/** What an update changes: the parameters, and the moments and number of steps of the optimiser. */
export interface TrainingState {
  parameters: Parameters;
  /** First and second moment of each parameter's gradient. */
  m: Map<string, Float32Array>;
  v: Map<string, Float32Array>;
  /** Updates made. */
  step: number;
}

/** The state before the first update. */
export function initialState(parameters: Parameters): TrainingState {
  const zeros = () =>
    new Map([...parameters].map(([name, { values }]) => [name, new Float32Array(values.length)]));
  return { parameters, m: zeros(), v: zeros(), step: 0 };
}

export interface AdamW {
  /** The state after one update with these gradients (by name) at these learning rates (by group); `state` is left as it is. */
  update(
    state: TrainingState,
    gradients: ReadonlyMap<string, Float32Array>,
    rates: Readonly<Record<string, number>>,
  ): Promise<{ state: TrainingState; gradientNorm: number }>;
  release(): Promise<void>;
}

type Shapes = ReadonlyMap<string, { shape: readonly number[] }>;

const groupsOf = (parameters: Shapes, { groupOf }: AdamWSettings): string[] => [
  ...new Set([...parameters.keys()].map(groupOf)),
];

/** Appends the update of all parameters. */
export function buildAdamW(graph: Graph, parameters: Shapes, settings: AdamWSettings): void {
  const { beta1, beta2, decays, groupOf, clipNorm } = settings;
  const groups = groupsOf(parameters, settings);
  // With c = 1 - βᵗ of each moment, p' = (1 - rate decay) p - rate (m' / c₁) / (√(v' / c₂) + ε)
  //                                    = kept p - size m' / (√v' + ε √c₂), size = rate √c₂ / c₁: fewer passes over all of them.
  const sizes = new Map(groups.map((group) => [group, graph.input(`size ${group}`, 'float32', [])]));
  const kept = new Map(groups.map((group) => [group, graph.input(`kept ${group}`, 'float32', [])]));
  const floor = graph.input('floor', 'float32', []);
  const entries = [...parameters].map(([name, { shape }]) => ({
    name,
    shape,
    gradient: graph.input(`gradient ${name}`, 'float32', shape),
  }));
  const norm = globalNorm(entries.map(({ gradient }) => gradient));
  graph.output('gradient norm', norm);
  // min(1, clipNorm / norm)
  const factor = clipNorm === undefined ? undefined : op.div(clipNorm, op.maximum(norm, clipNorm));
  for (const { name, shape, gradient: given } of entries) {
    const gradient = factor ? op.mul(given, factor) : given;
    const [p, m, v] = ['parameter', 'm', 'v'].map((kind) =>
      graph.input(`${kind} ${name}`, 'float32', shape),
    ) as [Tensor, Tensor, Tensor];
    const nextM = op.add(op.mul(m, beta1), op.mul(gradient, 1 - beta1));
    const nextV = op.add(op.mul(v, beta2), op.mul(op.mul(gradient, gradient), 1 - beta2));
    const direction = op.div(nextM, op.add(op.sqrt(nextV), floor));
    const change = op.mul(direction, sizes.get(groupOf(name))!);
    graph.output(
      `parameter' ${name}`,
      op.sub(decays(name) ? op.mul(p, kept.get(groupOf(name))!) : p, change),
    );
    graph.output(`m' ${name}`, nextM);
    graph.output(`v' ${name}`, nextV);
  }
}

export async function createAdamW(
  parameters: Shapes,
  settings: AdamWSettings,
  device: DeviceOptions,
): Promise<AdamW> {
  const { beta1, beta2, epsilon, weightDecay } = settings;
  const groups = groupsOf(parameters, settings);
  const graph = new Graph('adamw');
  buildAdamW(graph, parameters, settings);
  const session = await createSession(graph.encode(), device);
  return {
    async update(before, gradients, given) {
      const step = before.step + 1;
      const scalar = (value: number) => new ort.Tensor('float32', Float32Array.of(value), []);
      const [c1, c2] = [1 - beta1 ** step, 1 - beta2 ** step];
      const feeds: Record<string, ort.Tensor> = { floor: scalar(epsilon * Math.sqrt(c2)) };
      for (const group of groups) {
        const rate = given[group]!;
        feeds[`size ${group}`] = scalar((rate * Math.sqrt(c2)) / c1);
        feeds[`kept ${group}`] = scalar(1 - rate * weightDecay);
      }
      for (const [name, { shape, values }] of before.parameters) {
        const tensor = (data: Float32Array) => new ort.Tensor('float32', data, shape);
        feeds[`gradient ${name}`] = tensor(gradients.get(name)!);
        feeds[`parameter ${name}`] = tensor(values);
        feeds[`m ${name}`] = tensor(before.m.get(name)!);
        feeds[`v ${name}`] = tensor(before.v.get(name)!);
      }
      const results = await session.run(feeds);
      const values = (kind: string, name: string) => results[`${kind}' ${name}`]!.data as Float32Array;
      const names = [...before.parameters.keys()];
      const state: TrainingState = {
        parameters: new Map(
          [...before.parameters].map(([name, { shape }]) => [
            name,
            { shape, values: values('parameter', name) },
          ]),
        ),
        m: new Map(names.map((name) => [name, values('m', name)])),
        v: new Map(names.map((name) => [name, values('v', name)])),
        step,
      };
      return { state, gradientNorm: Number(results['gradient norm']!.data[0]) };
    },
    release: () => session.release(),
  };
}

/** The length of all gradients as one vector. */
function globalNorm(gradients: readonly Tensor[]): Tensor {
  const squares = gradients.map((gradient) => {
    const all = op.mergeAxes(gradient, 0, gradient.rank);
    return op.reduceSum(op.mul(all, all), 0);
  });
  return op.sqrt(squares.reduce((a, b) => op.add(a, b)));
}
