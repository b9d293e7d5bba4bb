import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure, messageOf } from '../data/failure.ts';
import { parsePreprocessConfig, type PreprocessConfig } from '../data/images/preprocessConfig.ts';
import { indexedWeights, WEIGHTS, WEIGHTS_INDEX } from '../data/models/modelFiles.ts';
import { openSafetensors, type TensorEntry } from '../data/safetensors.ts';
import { parseClipConfig, type ClipConfig } from './clip/config.ts';
import { fillPrompt, loadPrompts } from './clip/prompts.ts';
import type { PromptedCategory } from './clip/textEncoder.ts';
import { loadTokenizer, type TextTokenizer } from './clip/tokenizer.ts';
import { weightsFolder } from './clip/weights.ts';
import type { HeadShape } from './head/head.ts';
import { headShape } from './head/shape.ts';

/** A model folder (docs/model-folder.md) that was opened: everything but the weights' bytes is read. */
export interface ModelFolder {
  readonly dir: string;
  readonly config: ClipConfig;
  readonly preprocess: PreprocessConfig;
  readonly tokenizer: TextTokenizer;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Real folder of the weights; behind symbolic links it differs from `dir`. */
  readonly weightsFolder: string;
  /** Absent for a plain CLIP checkpoint: its head is untrained. */
  readonly head: HeadShape | undefined;
  /** The prompts of a category: each template with its name and each of its aliases. */
  promptsOf(category: PromptedCategory): string[];
}

/**
 * Opens a model folder; a plain CLIP checkpoint in the Hugging Face layout is one. Without weights it may be where
 * these are `optional`: it then has no tensors.
 * Throws `Model.NotFound`, `Model.NoSafetensors`, `Model.Unsupported`, `Model.Tokenizer`, `Safetensors.Invalid`, each
 * naming the file.
 */
export function openModelFolder(
  path: string,
  { weights = 'required' }: { weights?: 'required' | 'optional' } = {},
): ModelFolder {
  const dir = resolve(path);
  const configFile = join(dir, 'config.json');
  if (!existsSync(configFile)) {
    throw new Failure('Model.NotFound', `${dir} has no config.json, so it is not a model folder.`, {
      subject: dir,
      hint: 'Point --model at a folder with a CLIP checkpoint in the Hugging Face layout, or at hub:NAME.',
    });
  }
  const config = parseClipConfig(readJson(configFile), configFile);
  const preprocessorFile = join(dir, 'preprocessor_config.json');
  const preprocess = parsePreprocessConfig(
    existsSync(preprocessorFile) ? readJson(preprocessorFile) : {},
    preprocessorFile,
  );
  if (preprocess.cropSize !== config.vision_config.image_size) {
    throw new Failure(
      'Model.Unsupported',
      `${dir}: images are cropped to ${preprocess.cropSize} px, but the encoder takes ${config.vision_config.image_size} px.`,
      { subject: preprocessorFile },
    );
  }
  const tensors =
    weights === 'optional' && !hasWeights(dir) ? new Map<string, TensorEntry>() : openWeights(dir);
  const templates = loadPrompts(join(dir, 'prompts.json'));
  return {
    dir,
    config,
    preprocess,
    tokenizer: loadTokenizer(dir, config.text_config.max_position_embeddings),
    tensors,
    weightsFolder: tensors.size === 0 ? dir : weightsFolder(tensors),
    head: headShape(tensors, config.c2srt.form),
    promptsOf: ({ name, aliases = [], prompts = [] }) =>
      [name, ...aliases].flatMap((word) =>
        (prompts.length > 0 ? prompts : templates).map((template) => fillPrompt(template, word)),
      ),
  };
}

/** Whether a model folder has weights, or is the description of a model that is yet to be trained. */
export const hasWeights = (dir: string): boolean =>
  [WEIGHTS, WEIGHTS_INDEX].some((name) => existsSync(join(dir, name)));

/** The safetensors files of a model folder: one, or the several that an index names. */
export function weightFiles(dir: string): string[] {
  const single = join(dir, WEIGHTS);
  if (existsSync(single)) return [single];
  const indexFile = join(dir, WEIGHTS_INDEX);
  const names = existsSync(indexFile) ? indexedWeights(readJson(indexFile)) : undefined;
  if (names) return names.map((name) => join(dir, name));
  throw new Failure('Model.NoSafetensors', `${dir} has no model.safetensors.`, {
    subject: dir,
    hint: 'Only safetensors weights are read; save the checkpoint with safe_serialization=True.',
  });
}

function openWeights(dir: string): Map<string, TensorEntry> {
  return new Map(weightFiles(dir).flatMap((file) => [...openSafetensors(file)]));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure('Model.Unsupported', `${file} is not JSON: ${messageOf(error)}.`, {
      subject: file,
      cause: error,
    });
  }
}
