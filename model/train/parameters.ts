/** Trained parameters: which they are, where they start, and how a graph takes them. */
import * as ort from 'onnxruntime-node';
import { Failure } from '../../data/failure.ts';
import { readFloats, type TensorEntry } from '../../data/safetensors.ts';
import type { Weights } from '../clip/weights.ts';
import type { Graph, Tensor } from '../onnx/graph.ts';
import type { Feeds } from '../onnx/session.ts';

/** Parameters by name: those of the checkpoint, `head.*` for the head's. */
export type Parameters = Map<string, { shape: readonly number[]; values: Float32Array }>;

const parameterInput = (name: string): string => `trained ${name}`;

/** Parameters as inputs of a graph. */
export interface ParameterInputs {
  names: string[];
  tensors: Tensor[];
  /** Throws `Model.MissingWeight` for what is not a parameter. */
  weights: Weights;
}

export function parameterInputs(
  graph: Graph,
  parameters: ReadonlyMap<string, { shape: readonly number[] }>,
): ParameterInputs {
  const inputs = new Map(
    [...parameters].map(([name, { shape }]): [string, Tensor] => [
      name,
      graph.input(parameterInput(name), 'float32', shape),
    ]),
  );
  return {
    names: [...inputs.keys()],
    tensors: [...inputs.values()],
    weights(name, shape) {
      const tensor = inputs.get(name);
      if (tensor && tensor.shape.join() === shape.join()) return tensor;
      throw new Failure(
        'Model.MissingWeight',
        tensor
          ? `Parameter ${name} is [${tensor.shape.join(', ')}], but the graph takes [${shape.join(', ')}].`
          : `${name} is not among the parameters.`,
      );
    },
  };
}

/** The feeds of {@link parameterInputs}. */
export function parameterFeeds(parameters: Parameters): Feeds {
  const feeds: Feeds = {};
  for (const [name, { shape, values }] of parameters)
    feeds[parameterInput(name)] = new ort.Tensor('float32', values, shape);
  return feeds;
}

/**
 * The encoder's parameters above the frozen blocks, from the checkpoint: the last `trainedBlocks` blocks, the post layer
 * norm and the projection.
 */
export function encoderParameters(
  tensors: ReadonlyMap<string, TensorEntry>,
  blocks: number,
  trainedBlocks: number,
): Parameters {
  const above = [...tensors.values()].filter(({ name }) => {
    const block = /^vision_model\.encoder\.layers\.(\d+)\./.exec(name)?.[1];
    if (block !== undefined) return Number(block) >= blocks - trainedBlocks;
    return name.startsWith('vision_model.post_layernorm.') || name === 'visual_projection.weight';
  });
  return new Map(above.map((entry) => [entry.name, { shape: entry.shape, values: readFloats(entry) }]));
}
