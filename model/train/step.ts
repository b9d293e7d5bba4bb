import * as ort from 'onnxruntime-node';
import { checkpointWeights } from '../clip/weights.ts';
import type { NeighbourTables } from '../head/neighbours.ts';
import type { ModelFolder } from '../modelFolder.ts';
import { Graph } from '../onnx/graph.ts';
import { createSession, type DeviceOptions, type Feeds } from '../onnx/session.ts';
import type { Uses } from '../onnx/uses.ts';
import { tableFeeds } from '../tagger.ts';
import type { Parameters } from './adamw.ts';
import {
  buildGradientGraph,
  parameterInput,
  STEP_INPUTS,
  USES_INPUT,
  type GradientGraphOptions,
} from './gradientGraph.ts';

/** Images of a step and what is known of them. */
export interface Batch {
  /** [B, 3, S, S], normalised. */
  pixels: Float32Array;
  /** [B, C]: 1 present, -1 absent, 0 unknown. */
  labels: Float32Array;
}

export interface StepResult {
  loss: number;
  rank: number;
  /** 0 where there is no distillation. */
  distillation: number;
  gradients: Map<string, Float32Array>;
}

export interface GradientStep {
  /** Mean loss over the batch and its gradients, at these parameters. */
  run(parameters: Parameters, batch: Batch): Promise<StepResult>;
  release(): Promise<void>;
}

/** A session for loss and gradients; the frozen weights are read from the model's files. */
export async function createGradientStep(
  model: ModelFolder,
  options: GradientGraphOptions,
  device: DeviceOptions,
): Promise<GradientStep> {
  const graph = new Graph('training step');
  const { uses } = buildGradientGraph(graph, checkpointWeights(graph, model.tensors, model.dir), options);
  const session = await createSession(graph.encode(), device, model.weightsFolder);
  const constant = graphFeeds(options.tables, uses);
  const side = options.config.vision_config.image_size;
  const categories = options.tables.nodes;
  return {
    async run(parameters, { pixels, labels }) {
      const images = labels.length / categories;
      const feeds: Feeds = { ...constant };
      for (const [name, { shape, values }] of parameters)
        feeds[parameterInput(name)] = new ort.Tensor('float32', values, shape);
      const positives = positiveTable(labels, categories);
      feeds[STEP_INPUTS.pixels] = new ort.Tensor('float32', pixels, [images, 3, side, side]);
      feeds[STEP_INPUTS.labels] = new ort.Tensor('float32', labels, [images, categories]);
      feeds[STEP_INPUTS.positives] = new ort.Tensor('float32', positives, [
        images,
        positives.length / images,
      ]);
      feeds[STEP_INPUTS.imageWeights] = new ort.Tensor('float32', new Float32Array(images).fill(1 / images), [
        images,
      ]);
      const results = await session.run(feeds);
      const scalar = (name: string) => Number(results[name]?.data[0] ?? 0);
      return {
        loss: scalar('loss'),
        rank: scalar('rank'),
        distillation: scalar('distillation'),
        gradients: new Map(
          [...parameters.keys()].map((name) => [name, results[`gradient ${name}`]!.data as Float32Array]),
        ),
      };
    },
    release: () => session.release(),
  };
}

/** The indices of the present categories of each image, padded with -1 to the most of any: [B, M], M >= 1. */
export function positiveTable(labels: Float32Array, categories: number): Float32Array {
  const rows = Array.from({ length: labels.length / categories }, (_, image) => {
    const own = labels.subarray(image * categories, (image + 1) * categories);
    return [...own.keys()].filter((c) => own[c]! > 0);
  });
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), 1);
  const table = new Float32Array(rows.length * width).fill(-1);
  for (const [image, row] of rows.entries()) table.set(row, image * width);
  return table;
}

function graphFeeds(tables: NeighbourTables, { pieces, entries }: Uses): Feeds {
  const feeds = tableFeeds(tables);
  for (const [part, { rows, width, positions, mask }] of Object.entries({ pieces, entries })) {
    feeds[`${USES_INPUT}_${part}`] = new ort.Tensor('int64', positions, [rows, width]);
    feeds[`${USES_INPUT}_${part}_mask`] = new ort.Tensor('float32', mask, [rows, width]);
  }
  return feeds;
}
