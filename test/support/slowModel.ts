import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors, openSafetensors, readFloats } from '../../data/safetensors.ts';

/** The small checkpoint, whose scores mean nothing. */
export const TINY_MODEL = fileURLToPath(new URL('../golden/tiny/clip', import.meta.url));

/** Attention over this many patches per side is what takes the time; the weights stay small. */
const PATCHES_PER_SIDE = 40;
const PATCH = 8;
const WIDTH = 48;
const INNER = 96;

/**
 * Writes a CLIP checkpoint whose image encoder takes about `layers` * 10 ms per image and core, with random weights;
 * the text side is the small checkpoint's.
 */
export async function writeSlowModel(dir: string, layers: number): Promise<string> {
  await mkdir(dir, { recursive: true });
  await copyFile(join(TINY_MODEL, 'tokenizer.json'), join(dir, 'tokenizer.json'));
  const config = JSON.parse(await readFile(join(TINY_MODEL, 'config.json'), 'utf8')) as {
    vision_config: Record<string, unknown>;
  };
  const side = PATCHES_PER_SIDE * PATCH;
  Object.assign(config.vision_config, {
    image_size: side,
    num_hidden_layers: layers,
    num_attention_heads: 1,
  });
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  const preprocessor = JSON.parse(
    await readFile(join(TINY_MODEL, 'preprocessor_config.json'), 'utf8'),
  ) as object;
  await writeFile(
    join(dir, 'preprocessor_config.json'),
    JSON.stringify({
      ...preprocessor,
      size: { shortest_edge: side },
      crop_size: { height: side, width: side },
    }),
  );

  const tensors: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
  for (const [name, entry] of openSafetensors(join(TINY_MODEL, 'model.safetensors')))
    if (!name.startsWith('vision_model.')) tensors[name] = { shape: entry.shape, values: readFloats(entry) };
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state / 2 ** 32 - 0.5) * 0.2;
  };
  const add = (name: string, ...shape: number[]): void => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const isScale = /norm\d?\.weight$/.test(name);
    tensors[`vision_model.${name}`] = { shape, values: isScale ? values.fill(1) : values.map(random) };
  };
  add('embeddings.class_embedding', WIDTH);
  add('embeddings.patch_embedding.weight', WIDTH, 3, PATCH, PATCH);
  add('embeddings.position_embedding.weight', PATCHES_PER_SIDE ** 2 + 1, WIDTH);
  for (const norm of ['pre_layrnorm', 'post_layernorm'])
    for (const part of ['weight', 'bias']) add(`${norm}.${part}`, WIDTH);
  for (let layer = 0; layer < layers; layer++) {
    const at = `encoder.layers.${layer}`;
    for (const norm of ['layer_norm1', 'layer_norm2'])
      for (const part of ['weight', 'bias']) add(`${at}.${norm}.${part}`, WIDTH);
    for (const projection of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) {
      add(`${at}.self_attn.${projection}.weight`, WIDTH, WIDTH);
      add(`${at}.self_attn.${projection}.bias`, WIDTH);
    }
    add(`${at}.mlp.fc1.weight`, INNER, WIDTH);
    add(`${at}.mlp.fc1.bias`, INNER);
    add(`${at}.mlp.fc2.weight`, WIDTH, INNER);
    add(`${at}.mlp.fc2.bias`, WIDTH);
  }
  await writeFile(join(dir, 'model.safetensors'), encodeSafetensors(tensors));
  return dir;
}
