import { basename, dirname } from 'node:path';
import { Failure } from '../../data/failure.ts';
import type { TensorEntry } from '../../data/safetensors.ts';
import type { DType, Graph, Tensor } from '../onnx/graph.ts';
import { cast } from '../onnx/ops.ts';

/**
 * Gives a graph its weights by name, in float32. Encoders and head are written against this, so that the same code
 * builds inference (weights stay in the checkpoint's file) and training (weights are inputs).
 */
export type Weights = (name: string, shape: readonly number[]) => Tensor;

const ONNX_DTYPE: Partial<Record<TensorEntry['type'], DType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/**
 * Weights as external data of `graph`: ONNX Runtime reads them from the safetensors file, by offset.
 * fp16 and bf16 go through a Cast that it folds when the session is made.
 * Throws `Model.MissingWeight` or `Model.WeightShape`, which name the tensor and the file.
 */
export function checkpointWeights(
  graph: Graph,
  tensors: ReadonlyMap<string, TensorEntry>,
  file: string,
): Weights {
  const used = new Map<string, Tensor>();
  return (name, shape) => {
    const known = used.get(name);
    if (known) return known;
    const entry = tensors.get(name);
    if (!entry)
      throw new Failure('Model.MissingWeight', `${file} has no tensor ${name}.`, {
        subject: file,
        hint: 'Is this a CLIP checkpoint with both towers (CLIPModel)?',
      });
    const dtype = ONNX_DTYPE[entry.type];
    if (!dtype || entry.shape.join() !== shape.join()) {
      throw new Failure(
        'Model.WeightShape',
        `${name} in ${file} is ${entry.type} [${entry.shape.join(', ')}]; config.json asks for float [${shape.join(', ')}].`,
        { subject: file, hint: 'config.json and the weights belong to different models.' },
      );
    }
    const data = { location: basename(entry.file), offset: entry.offset, length: entry.sizeBytes };
    const tensor = cast(graph.external(name, dtype, shape, data), 'float32');
    used.set(name, tensor);
    return tensor;
  };
}

/** The one folder that all weights lie in, as ONNX Runtime wants it. Throws `Model.Scattered` where there are several. */
export function weightsFolder(tensors: ReadonlyMap<string, TensorEntry>): string {
  const folders = new Set([...tensors.values()].map((entry) => dirname(entry.file)));
  const [folder, ...others] = folders;
  if (folder === undefined || others.length > 0) {
    throw new Failure('Model.Scattered', `The weights lie in several folders: ${[...folders].join(', ')}.`, {
      hint: 'Put all safetensors files of the model into one folder.',
    });
  }
  return folder;
}
