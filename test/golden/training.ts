/** Checks training against `train-FORM.safetensors`: losses, first gradients, and parameters after six AdamW steps. */
import { join } from 'node:path';
import { openSafetensors, readFloats, type TensorEntry } from '../../data/safetensors.ts';
import type { HeadSettings } from '../../model/clip/config.ts';
import { headShape } from '../../model/head/shape.ts';
import { neighbourTables } from '../../model/head/neighbours.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import { createAdamW, initialState, type Parameters } from '../../model/train/adamw.ts';
import { createGradientStep } from '../../model/train/step.ts';
import { compareValues, type Comparison } from './compare.ts';
import { goldenEdges } from './edges.ts';

/** Absolute tolerance of the parameters at the end. */
const FINAL_TOLERANCE = 2e-5;
const GRADIENT_TOLERANCE = 1e-3;
const LOSS_TOLERANCE = 1e-4;
/** Added to relative tolerances. */
const FLOOR = 1e-6;

export async function checkTraining(dir: string, form: HeadSettings['form'], device: DeviceOptions, scale: number): Promise<Comparison[]> {
  const golden = openSafetensors(join(dir, `train-${form}.safetensors`));
  const model = openModelFolder(join(dir, 'clip'));
  const read = (name: string): Float32Array => readFloats(golden.get(name)!);
  const scalar = (name: string): number => read(name)[0]!;
  const parameters: Parameters = new Map(
    [...golden.values()]
      .filter(({ name }) => name.startsWith('init.'))
      .map((entry) => [parameterName(entry.name), { shape: entry.shape, values: readFloats(entry) }]),
  );
  const head: HeadSettings = { form, tau: scalar('tau'), alpha: golden.has('alpha') ? scalar('alpha') : 0.5, cap: scalar('cap') };
  const [categories] = golden.get('text')!.shape as [number, number];
  const steps = golden.get('labels')!.shape[0]!;
  const [beta1, beta2] = read('betas') as unknown as [number, number];
  const options = {
    config: model.config,
    head,
    headShape: headShape(golden, form, 'init.head.')!,
    parameters,
    trainedBlocks: scalar('trainable_blocks'),
    text: read('text'),
    tables: neighbourTables(categories, goldenEdges(golden)),
    loss: { margin: 1, scale: scalar('scale'), distillation: 1 },
  };
  const step = await createGradientStep(model, options, device);
  const optimiser = await createAdamW(parameters, { beta1, beta2, epsilon: scalar('eps'), weightDecay: scalar('weight_decay'), decays: () => true }, device);
  const comparisons: Comparison[] = [];
  const relative = (name: string, actual: ArrayLike<number>, expected: Float32Array, tolerance: number) => {
    comparisons.push(compareValues(`train-${form} ${name}`, actual, expected, (tolerance * largestOf(expected) + FLOOR) * scale));
  };
  const [pixels, labels] = [read('pixels'), read('labels')];
  const slice = (values: Float32Array, s: number) => values.slice((s * values.length) / steps, ((s + 1) * values.length) / steps);
  let state = initialState(parameters);
  for (let s = 0; s < steps; s++) {
    const result = await step.run(state.parameters, { pixels: slice(pixels, s), labels: slice(labels, s) });
    relative(`loss.${s}`, [result.loss], read(`loss.${s}`), LOSS_TOLERANCE);
    relative(`rank.${s}`, [result.rank], read(`rank.${s}`), LOSS_TOLERANCE);
    relative(`dist.${s}`, [result.distillation], read(`dist.${s}`), LOSS_TOLERANCE);
    if (s === 0) {
      const limit = (expected: Float32Array) => (GRADIENT_TOLERANCE * largestOf(expected) + FLOOR) * scale;
      comparisons.push(worst(`train-${form} grad0`, golden, 'grad0.', result.gradients, limit));
    }
    state = await optimiser.update(state, result.gradients, scalar('lr'));
  }
  const final = new Map([...state.parameters].map(([name, { values }]) => [name, values]));
  comparisons.push(worst(`train-${form} final`, golden, 'final.', final, () => FINAL_TOLERANCE * scale));
  await step.release();
  await optimiser.release();
  return comparisons;
}

/** `init.clip.X` -> `X`, `init.head.X` -> `head.X`: as in a model folder. */
const parameterName = (name: string): string => name.replace(/^[a-z0-9]+\.(clip\.)?/, '');

/** Of all tensors under `prefix` the one that is furthest from its golden values, measured by its own limit. */
function worst(
  name: string,
  golden: ReadonlyMap<string, TensorEntry>,
  prefix: string,
  actual: ReadonlyMap<string, Float32Array>,
  limitOf: (expected: Float32Array) => number,
): Comparison {
  const entries = [...golden.values()].filter((entry) => entry.name.startsWith(prefix));
  const comparisons = entries.map((entry) => {
    const expected = readFloats(entry);
    const own = parameterName(entry.name);
    return compareValues(`${name} (${entries.length} tensors, the worst: ${own})`, actual.get(own) ?? [], expected, limitOf(expected));
  });
  const ratio = ({ error, limit, problem }: Comparison) => (problem === undefined ? error / limit : Infinity);
  return comparisons.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
}

const largestOf = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
