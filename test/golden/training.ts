/** Checks training against `train-FORM.safetensors`: losses, first gradients, and parameters after six AdamW steps. */
import { join } from 'node:path';
import { openSafetensors, readFloats, type TensorEntry } from '../../data/safetensors.ts';
import { headSettingsSchema, type HeadSettings } from '../../model/clip/config.ts';
import { headShape } from '../../model/head/shape.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import { createSession, type DeviceOptions } from '../../model/onnx/session.ts';
import * as ort from 'onnxruntime-node';
import { embedImages, projectTokens, visionBlocks } from '../../model/clip/vision.ts';
import { checkpointWeights } from '../../model/clip/weights.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { createAdamW, initialState } from '../../model/train/adamw.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import { createRankingObjective, type ImageLabels } from '../../model/ranking/rankingObjective.ts';
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
  const head = headSettingsSchema.parse({ form, tau: scalar('tau'), ...(golden.has('alpha') && { alpha: scalar('alpha') }), cap: scalar('cap') });
  const [categories] = golden.get('text')!.shape as [number, number];
  const [steps, batch] = golden.get('labels')!.shape as [number, number];
  const [beta1, beta2] = read('betas') as unknown as [number, number];
  const { config } = model;
  const options = {
    config,
    head,
    headShape: headShape(golden, form, 'init.head.')!,
    parameters,
    trainedBlocks: scalar('trainable_blocks'),
    text: read('text'),
    edges: goldenEdges(golden),
    loss: { margin: 1, scale: scalar('scale'), distillation: 1 },
    maxCategories: categories,
    // Uneven parts, whose gradients must add up to the whole batch's.
    microBatch: Math.ceil((2 * batch) / 3),
  };
  const objective = await createRankingObjective(options, device);
  const settings = { beta1, beta2, epsilon: scalar('eps'), weightDecay: scalar('weight_decay'), decays: () => true, groupOf: () => 'all' };
  const optimiser = await createAdamW(parameters, settings, device);
  const frozen = await frozenEncoder(model, options.trainedBlocks, device);
  const comparisons: Comparison[] = [];
  const relative = (name: string, actual: ArrayLike<number>, expected: Float32Array, tolerance: number) => {
    comparisons.push(compareValues(`train-${form} ${name}`, actual, expected, (tolerance * largestOf(expected) + FLOOR) * scale));
  };
  const [pixels, labels] = [read('pixels'), read('labels')];
  const slice = (values: Float32Array, s: number) => values.slice((s * values.length) / steps, ((s + 1) * values.length) / steps);
  let state = initialState(parameters);
  for (let s = 0; s < steps; s++) {
    const result = await objective.gradients(state.parameters, {
      ...(await frozen.run(slice(pixels, s))),
      labels: imageLabels(slice(labels, s), categories),
      sample: [s],
    });
    const { loss, rank, distillation } = result.losses;
    relative(`loss.${s}`, [loss!], read(`loss.${s}`), LOSS_TOLERANCE);
    relative(`rank.${s}`, [rank!], read(`rank.${s}`), LOSS_TOLERANCE);
    relative(`dist.${s}`, [distillation!], read(`dist.${s}`), LOSS_TOLERANCE);
    if (s === 0) {
      const limit = (expected: Float32Array) => (GRADIENT_TOLERANCE * largestOf(expected) + FLOOR) * scale;
      comparisons.push(worst(`train-${form} grad0`, golden, 'grad0.', result.gradients, limit));
    }
    ({ state } = await optimiser.update(state, result.gradients, { all: scalar('lr') }));
  }
  const final = new Map([...state.parameters].map(([name, { values }]) => [name, values]));
  comparisons.push(worst(`train-${form} final`, golden, 'final.', final, () => FINAL_TOLERANCE * scale));
  await objective.release();
  await frozen.release();
  await optimiser.release();
  return comparisons;
}

/** The frozen part of the encoder on pixels [B, 3, S, S], in float32. */
async function frozenEncoder(model: ModelFolder, trainedBlocks: number, device: DeviceOptions) {
  const { config } = model;
  const graph = new Graph('frozen encoder');
  const weights = checkpointWeights(graph, model.tensors, model.dir);
  const side = config.vision_config.image_size;
  const blocks = config.vision_config.num_hidden_layers;
  const split = blocks - trainedBlocks;
  const pixels = graph.input('pixels', 'float32', ['B', 3, side, side]);
  const hidden = visionBlocks(embedImages(pixels, config, weights), config, weights, 0, split);
  graph.output('hidden', hidden);
  graph.output('global', projectTokens(visionBlocks(hidden, config, weights, split, blocks), config, weights).global);
  const session = await createSession(graph.encode(), device, model.weightsFolder);
  return {
    async run(values: Float32Array) {
      const feeds = { pixels: new ort.Tensor('float32', values, [values.length / (3 * side * side), 3, side, side]) };
      const { hidden: h, global } = await session.run(feeds);
      return { hidden: h!.data as Float32Array, global: global!.data as Float32Array };
    },
    release: () => session.release(),
  };
}

/** Rows of labels (1 present, -1 absent, 0 unknown) as indices. */
function imageLabels(labels: Float32Array, categories: number): ImageLabels[] {
  return Array.from({ length: labels.length / categories }, (_, image) => {
    const own = [...labels.subarray(image * categories, (image + 1) * categories)];
    const where = (label: number) => own.flatMap((value, c) => (value === label ? [c] : []));
    return { present: where(1), absent: where(-1) };
  });
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
