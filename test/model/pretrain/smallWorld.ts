/** A very small CLIP and batches for it. */
import { parseClipConfig, patchCount, type ClipConfig } from '../../../model/clip/config.ts';
import type { ContrastiveBatch } from '../../../model/pretrain/contrastiveFeeds.ts';
import type { ContrastiveOptions } from '../../../model/pretrain/contrastiveGraph.ts';
import { initialClipParameters } from '../../../model/pretrain/initialise.ts';
import { randomStream } from '../../../data/random.ts';
import type { Parameters } from '../../../model/train/parameters.ts';

/** 12 pixels, patches of 4 (9 of them), width 8, 1 + 1 blocks, 20 words of which 19 ends a text. */
export const TINY: ClipConfig = parseClipConfig(
  {
    projection_dim: 6,
    text_config: {
      vocab_size: 20,
      hidden_size: 8,
      intermediate_size: 12,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 10,
      eos_token_id: 19,
    },
    vision_config: {
      hidden_size: 8,
      intermediate_size: 12,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_size: 12,
      patch_size: 4,
    },
  },
  'tiny config',
);

export const TINY_PATCHES = patchCount(TINY.vision_config);

export const TINY_OPTIONS: ContrastiveOptions = {
  config: TINY,
  normalisation: { scale: 1 / 255, mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] },
  captionTokens: 6,
  mentionTokens: 4,
  localWeight: 0.5,
  localTemperature: 0.1,
};

/** Random pixels; captions of 3 to 6 tokens, the same word often twice; mentions of one word out of three. */
export function tinyBatch(images: number, shownPatches: number, seed: number): ContrastiveBatch {
  const random = randomStream('tiny batch', seed);
  const text = (words: number, vocabulary: number): number[] => [
    18,
    ...Array.from({ length: words }, () => 1 + random.integer(vocabulary)),
    19,
  ];
  return {
    pixels: Uint8Array.from({ length: images * 12 * 12 * 3 }, () => random.integer(256)),
    captions: Array.from({ length: images }, () => text(1 + random.integer(4), 16)),
    mentions: Array.from({ length: images }, () => text(1, 3)),
    shownPatches,
    key: [seed],
  };
}

/** Weights larger than at the start of a training, biases and layer norms too, so that everything has a say. */
export function livelyParameters(): Parameters {
  const parameters = initialClipParameters(TINY, 3);
  for (const [name, { values }] of parameters) {
    if (name === 'logit_scale') continue;
    const random = randomStream('lively', name);
    const factor = name.endsWith('embedding.weight') ? 5 : 1;
    for (let i = 0; i < values.length; i++) values[i] = factor * values[i]! + 0.1 * random.normal();
  }
  return parameters;
}
