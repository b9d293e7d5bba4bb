/** Which files of a folder are a model (docs/model-folder.md), and which of them determine its scores. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The file without which a folder is no model: written last wherever a model is copied to. */
export const MODEL_CONFIG = 'config.json';
export const CALIBRATION = 'calibration.json';
export const METRICS = 'metrics.json';

/** Files that determine a model's scores, besides its weights; only the first is always there. */
export const MODEL_FILES = [
  MODEL_CONFIG,
  'preprocessor_config.json',
  'tokenizer.json',
  'vocab.json',
  'merges.txt',
  'prompts.json',
  'categories.json',
  'graph.json',
  CALIBRATION,
] as const;

export const WEIGHTS = 'model.safetensors';
/** Names the files of weights that are in several. */
export const WEIGHTS_INDEX = 'model.safetensors.index.json';

/** What goes with a model and does not change its scores. */
const ATTACHED =
  /^(tokenizer_config|special_tokens_map|metrics)\.json$|^(MODEL_CARD|README)\.md$|^LICENSE(\.\w+)?$/;

const WEIGHT_FILE = /^model[^/]*\.safetensors(\.index\.json)?$/;

/** Whether a file, by its name in a model folder, is a part of the model. */
export const isModelFile = (name: string): boolean =>
  (MODEL_FILES as readonly string[]).includes(name) || WEIGHT_FILE.test(name) || ATTACHED.test(name);

/** The files of weights that an index names, in order; undefined for what is no index. */
export function indexedWeights(index: unknown): string[] | undefined {
  const parsed = z.object({ weight_map: z.record(z.string(), z.string()) }).safeParse(index);
  return parsed.success ? [...new Set(Object.values(parsed.data.weight_map))].sort() : undefined;
}

/**
 * SHA-256, in hex, of everything of a model that determines its scores. The same files have the same hash in a folder,
 * in a bucket, and before they are copied into one.
 *
 * @param files names of {@link MODEL_FILES} that are there, in that order, then those of the weights
 * @param hashOf SHA-256 of a file's bytes, in hex
 */
export async function hashOfModel(
  files: readonly string[],
  hashOf: (name: string) => Promise<string>,
): Promise<string> {
  const total = createHash('sha256');
  for (const name of files) total.update(`${name} ${await hashOf(name)}\n`);
  return total.digest('hex');
}
