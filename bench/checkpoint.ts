/** Checkpoints of any size with random weights: their scores mean nothing, their cost is that of a trained model. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EDGE_FEATURES } from '../model/head/neighbours.ts';
import { encodeSafetensors } from '../data/safetensors.ts';
import type { HeadSettings } from '../model/clip/config.ts';

/** The sizes of one tower. */
export interface Tower {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
}

/** A checkpoint to be made. */
export interface CheckpointOptions {
  projection: number;
  vision: Tower & { image_size: number; patch_size: number };
  /** Left out where text features come from elsewhere. */
  text?: Tower & { vocab_size: number; max_position_embeddings: number; eos_token_id: number };
  /** Left out: an untrained head. */
  head?: { form: HeadSettings['form']; layers: number; heads: number };
}

/** OpenAI's CLIP ViT-B/16, without its text tower. */
export const VIT_B16: CheckpointOptions = {
  projection: 512,
  vision: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 224,
    patch_size: 16,
  },
};

/** The text tower of CLIP ViT-B/16 over another tokenizer's words. */
export const textTowerB16 = (words: {
  vocab_size: number;
  eos_token_id: number;
}): CheckpointOptions['text'] => ({
  hidden_size: 512,
  intermediate_size: 2048,
  num_hidden_layers: 12,
  num_attention_heads: 8,
  max_position_embeddings: 77,
  ...words,
});

/** Numbers in [-1, 1) that depend on the seed alone (xorshift32). */
export function randomNumbers(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

type Tensors = Record<string, { shape: readonly number[]; values: Float32Array }>;

/** Writes a model folder; `tokenizer` is the tokenizer.json to copy into it. */
export function writeCheckpoint(dir: string, options: CheckpointOptions, tokenizer: string): void {
  const { projection, vision, text, head } = options;
  const random = randomNumbers(1);
  const tensors: Tensors = {};
  const add = (name: string, shape: readonly number[], value?: number): void => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    // Scaled so that activations neither vanish nor explode over the layers.
    const scale = Math.sqrt(3 / (shape.length > 1 ? values.length / shape[0]! : 1000));
    if (value === undefined) for (let i = 0; i < values.length; i++) values[i] = scale * random();
    else values.fill(value);
    tensors[name] = { shape, values };
  };
  const norm = (name: string, width: number): void => {
    add(`${name}.weight`, [width], 1);
    add(`${name}.bias`, [width], 0);
  };
  const dense = (name: string, from: number, to: number): void => {
    add(`${name}.weight`, [to, from]);
    add(`${name}.bias`, [to], 0);
  };
  const blocks = (
    prefix: string,
    { hidden_size: width, intermediate_size, num_hidden_layers }: Tower,
  ): void => {
    for (let layer = 0; layer < num_hidden_layers; layer++) {
      const at = `${prefix}.encoder.layers.${layer}`;
      norm(`${at}.layer_norm1`, width);
      norm(`${at}.layer_norm2`, width);
      for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj'])
        dense(`${at}.self_attn.${name}`, width, width);
      dense(`${at}.mlp.fc1`, width, intermediate_size);
      dense(`${at}.mlp.fc2`, intermediate_size, width);
    }
  };

  const { hidden_size: width, patch_size: patch, image_size: side } = vision;
  add('vision_model.embeddings.class_embedding', [width]);
  add('vision_model.embeddings.patch_embedding.weight', [width, 3, patch, patch]);
  add('vision_model.embeddings.position_embedding.weight', [Math.floor(side / patch) ** 2 + 1, width]);
  norm('vision_model.pre_layrnorm', width);
  blocks('vision_model', vision);
  norm('vision_model.post_layernorm', width);
  add('visual_projection.weight', [projection, width]);
  if (text) {
    add('text_model.embeddings.token_embedding.weight', [text.vocab_size, text.hidden_size]);
    add('text_model.embeddings.position_embedding.weight', [text.max_position_embeddings, text.hidden_size]);
    blocks('text_model', text);
    norm('text_model.final_layer_norm', text.hidden_size);
    add('text_projection.weight', [projection, text.hidden_size]);
  }
  if (head) addHead(head, projection, add);

  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'model.safetensors'), encodeSafetensors(tensors));
  const config = {
    model_type: 'clip',
    projection_dim: projection,
    vision_config: vision,
    text_config: text ?? {},
    c2srt: { form: head?.form ?? 'anchored' },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  const preprocessor = { size: { shortest_edge: side }, crop_size: { height: side, width: side } };
  writeFileSync(join(dir, 'preprocessor_config.json'), JSON.stringify(preprocessor));
  writeFileSync(join(dir, 'prompts.json'), JSON.stringify(['a photo of {}']));
  copyFileSync(tokenizer, join(dir, 'tokenizer.json'));
}

function addHead(
  { form, layers, heads }: NonNullable<CheckpointOptions['head']>,
  d: number,
  add: (name: string, shape: readonly number[], value?: number) => void,
): void {
  for (let layer = 0; layer < layers; layer++) {
    const at = `head.gat.${layer}`;
    for (const name of ['lin_l', 'lin_r']) {
      add(`${at}.${name}.weight`, [d, d]);
      add(`${at}.${name}.bias`, [d]);
    }
    add(`${at}.lin_edge.weight`, [d, EDGE_FEATURES]);
    add(`${at}.att`, [heads, d / heads]);
    add(`${at}.bias`, [d]);
    if (form === 'anchored') {
      add(`${at}.lin_score.weight`, [d, 1]);
      add(`${at}.v`, [d]);
    }
  }
  if (form === 'anchored') return;
  add('head.fc1.weight', [d, 2 * d]);
  add('head.fc1.bias', [d]);
  add('head.fc2.weight', [d, d]);
  add('head.fc2.bias', [d]);
  if (form === 'residual') add('head.gate', [layers], 0.5);
}
