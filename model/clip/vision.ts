import type { Dim, Tensor } from '../onnx/graph.ts';
import { linear, unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';
import type { ClipConfig } from './config.ts';
import { block, norm } from './transformer.ts';
import type { Weights } from './weights.ts';

/** What the vision encoder says of B images: every vector has unit length. */
export interface ImageTokens {
  /** f_G: the class token. [B, d] */
  global: Tensor;
  /** [B, P, d] */
  patches: Tensor;
}

/**
 * CLIP's vision encoder with every token, not only the class token, taken through the post layer norm and the visual
 * projection to unit length (method, step 1). pixels float32 [B, 3, S, S], normalised.
 */
export function encodeImages(pixels: Tensor, config: ClipConfig, weights: Weights): ImageTokens {
  const layers = config.vision_config.num_hidden_layers;
  return projectTokens(
    visionBlocks(embedImages(pixels, config, weights), config, weights, 0, layers),
    config,
    weights,
  );
}

/** The patches that an encoder is shown, the same of every image. */
export interface ShownPatches {
  /** Their indices, int64 [K]. */
  patches: Tensor;
  /** The rows of the position embedding that belong to them, the class token's first: int64 [1 + K]. */
  positions: Tensor;
}

/**
 * What the first block is given: embeddings after the first layer norm. [B, 3, S, S] -> [B, 1 + P, width], or
 * [B, 1 + K, width] where only some patches are shown.
 */
export function embedImages(
  pixels: Tensor,
  config: ClipConfig,
  weights: Weights,
  shown?: ShownPatches,
): Tensor {
  // The checkpoints' own spelling.
  return norm(
    embedPatches(pixels, config, weights, shown),
    weights,
    'vision_model.pre_layrnorm',
    config.vision_config,
  );
}

/** Blocks [from, to) of the vision encoder. [B, 1 + P, width] -> the same. */
export function visionBlocks(
  hidden: Tensor,
  config: ClipConfig,
  weights: Weights,
  from: number,
  to: number,
): Tensor {
  let x = hidden;
  for (let layer = from; layer < to; layer++) {
    x = block(x, weights, `vision_model.encoder.layers.${layer}`, config.vision_config);
  }
  return x;
}

/** Post layer norm, visual projection, unit length, for every token. [B, 1 + P, width] -> f_G and patches. */
export function projectTokens(hidden: Tensor, config: ClipConfig, weights: Weights): ImageTokens {
  const vision = config.vision_config;
  const x = norm(hidden, weights, 'vision_model.post_layernorm', vision);
  const projection = weights('visual_projection.weight', [config.projection_dim, vision.hidden_size]);
  const tokens = unit(linear(x, projection)); // [B, 1 + P, d]
  return {
    global: op.squeeze(op.slice(tokens, 1, 0, 1), 1),
    patches: op.slice(tokens, 1, 1, tokens.size(1)),
  };
}

/**
 * uint8 pixels [B, S, S, 3], as decoding gives them, to CLIP's normalised float32 [B, 3, S, S].
 * `scale` is the preprocessor's rescale factor, `mean` and `std` its three channel values.
 */
export function normalise(
  pixels: Tensor,
  { scale, mean, std }: { scale: number; mean: readonly number[]; std: readonly number[] },
): Tensor {
  const { graph } = pixels;
  const channels = (values: readonly number[]) => graph.constant(Float32Array.from(values), [3]);
  const centred = op.sub(op.mul(op.cast(pixels, 'float32'), scale), channels(mean));
  return op.transpose(op.div(centred, channels(std)), [0, 3, 1, 2]);
}

/** Patch, class and position embeddings: [B, 3, S, S] -> [B, 1 + P, width]. */
function embedPatches(
  pixels: Tensor,
  { vision_config }: ClipConfig,
  weights: Weights,
  shown?: ShownPatches,
): Tensor {
  const { hidden_size: width, image_size, patch_size: patch } = vision_config;
  const embeddings = 'vision_model.embeddings';
  const batch: Dim = pixels.shape[0]!;
  const side = Math.floor(image_size / patch);
  // A convolution whose kernel is its stride is a matrix product over the patches' pixels; rows and columns that no
  // whole patch covers are left out, as the convolution does.
  const covered = op.slice(op.slice(pixels, 2, 0, side * patch), 3, 0, side * patch);
  const split = op.reshape(covered, [batch, 3, side, patch, side, patch]);
  const flat = op.reshape(op.transpose(split, [0, 2, 4, 1, 3, 5]), [batch, side * side, 3 * patch * patch]);
  const kernel = op.reshape(weights(`${embeddings}.patch_embedding.weight`, [width, 3, patch, patch]), [
    width,
    3 * patch * patch,
  ]);
  const patches = linear(shown ? op.gather(flat, shown.patches, 1) : flat, kernel); // [B, P, width]
  const classToken = op.reshape(weights(`${embeddings}.class_embedding`, [width]), [1, 1, width]);
  const tokens = op.concat([op.expandTo(classToken, op.slice(patches, 1, 0, 1)), patches], 1);
  const positions = weights(`${embeddings}.position_embedding.weight`, [side * side + 1, width]);
  return op.add(tokens, shown ? op.gather(positions, shown.positions, 0) : positions);
}
