import * as ort from 'onnxruntime-node';
import { Graph } from '../onnx/graph.ts';
import { createSession, type DeviceOptions } from '../onnx/session.ts';
import type { ModelFolder } from '../modelFolder.ts';
import { encodeTexts, poolIndex } from './text.ts';
import { checkpointWeights } from './weights.ts';

/** Texts per run: bounds the memory of a vocabulary of thousands of categories. */
const BATCH = 64;

/**
 * Unit-length CLIP features of texts given as token ids. -> [texts, d], row-major.
 * A session is made for the call and released after it: text is encoded once per vocabulary.
 */
export async function encodeTokenIds(
  model: ModelFolder,
  texts: readonly (readonly number[])[],
  device: DeviceOptions,
): Promise<Float32Array> {
  const { config } = model;
  const d = config.projection_dim;
  const length = texts.reduce((n, ids) => Math.max(n, ids.length), 1);
  const graph = new Graph('text-encoder');
  const weights = checkpointWeights(graph, model.tensors, model.dir);
  const features = encodeTexts(
    graph,
    graph.input('ids', 'int64', ['N', length]),
    graph.input('pool', 'float32', ['N', 1, length]),
    config,
    weights,
  );
  graph.output('features', features);
  const session = await createSession(graph.encode(), device, model.weightsFolder);
  try {
    const result = new Float32Array(texts.length * d);
    for (let start = 0; start < texts.length; start += BATCH) {
      const batch = texts.slice(start, start + BATCH);
      // Causal attention: what follows the pooled token has no influence on it, so any id pads.
      const ids = new BigInt64Array(batch.length * length);
      const pool = new Float32Array(batch.length * length);
      for (const [row, text] of batch.entries()) {
        ids.set(BigInt64Array.from(text, BigInt), row * length);
        pool[row * length + poolIndex(text, config.text_config.eos_token_id)] = 1;
      }
      const { features: rows } = await session.run({
        ids: new ort.Tensor('int64', ids, [batch.length, length]),
        pool: new ort.Tensor('float32', pool, [batch.length, 1, length]),
      });
      result.set(rows!.data as Float32Array, start * d);
    }
    return result;
  } finally {
    await session.release();
  }
}

/** What a category is called in prompts. */
export interface PromptedCategory {
  name: string;
  /** Other names; their prompts enter the same mean. */
  aliases?: readonly string[];
  /** Templates with `{}` in place of the model's, where there are any. */
  prompts?: readonly string[];
}

/**
 * Text features of categories by prompt ensemble: the unit-length mean of the unit-length features of every prompt
 * (method, step 2). -> [categories, d], row-major.
 */
export async function encodeCategories(
  model: ModelFolder,
  categories: readonly PromptedCategory[],
  device: DeviceOptions,
): Promise<Float32Array> {
  const d = model.config.projection_dim;
  const prompts = categories.map((category) =>
    model.promptsOf(category).map((prompt) => model.tokenizer.encode(prompt)),
  );
  const features = await encodeTokenIds(model, prompts.flat(), device);
  const result = new Float32Array(categories.length * d);
  let row = 0;
  for (const [c, { length }] of prompts.entries()) {
    result.set(unitMean(features.subarray(row * d, (row + length) * d), d), c * d);
    row += length;
  }
  return result;
}

/** The unit-length mean of rows [n, d]. */
export function unitMean(rows: Float32Array, d: number): Float32Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < rows.length; i++) mean[i % d]! += rows[i]!;
  const norm = Math.max(Math.hypot(...mean), 1e-12);
  return Float32Array.from(mean, (value) => value / norm);
}
