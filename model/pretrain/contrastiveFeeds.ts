/** What a step of contrastive pre-training is fed. */
import * as ort from 'onnxruntime-node';
import { Failure } from '../../data/failure.ts';
import { patchCount } from '../clip/config.ts';
import { poolIndex } from '../clip/text.ts';
import type { Feeds } from '../onnx/session.ts';
import { invertIndices, transposeIndices, usesFeeds } from '../onnx/uses.ts';
import { randomStream } from '../../data/random.ts';
import { CONTRASTIVE_INPUTS, TEXT_KINDS, textInputs, type ContrastiveOptions } from './contrastiveGraph.ts';

/** Images of a step and what is said of them. An image that could not be read is not among them. */
export interface ContrastiveBatch {
  /** [B, S, S, 3], as decoding gives them. */
  pixels: Uint8Array;
  /** Token ids of one caption per image, start and end token included. */
  captions: readonly (readonly number[])[];
  /** Token ids of one short caption per image, which says one thing; equal ones are expected. Unused without local term. */
  mentions: readonly (readonly number[])[];
  /** How many of their patches the step sees (`shownPatchCount`). */
  shownPatches: number;
  /** Decides which: the run's seed, shard and step, say. */
  key: readonly (number | string)[];
}

/**
 * The inputs of `buildContrastiveGraph` besides parameters. Throws `Pretrain.Caption` where a text has more tokens than
 * the graph takes, and `Pretrain.Batch` where the numbers of images and texts differ.
 */
export function contrastiveFeeds(batch: ContrastiveBatch, options: ContrastiveOptions): Feeds {
  const { config, captionTokens, mentionTokens, localWeight } = options;
  const { image_size, num_channels } = config.vision_config;
  const kinds = TEXT_KINDS.filter((kind) => kind === 'caption' || localWeight > 0).map((kind) =>
    kind === 'caption'
      ? { kind, texts: batch.captions, length: captionTokens }
      : { kind, texts: batch.mentions, length: mentionTokens },
  );
  const images = batch.pixels.length / (image_size * image_size * num_channels);
  for (const { kind, texts } of kinds) {
    if (texts.length !== images)
      throw new Failure('Pretrain.Batch', `${images} images come with ${texts.length} ${kind}s.`);
  }
  // Tokens of the batch in the order of their ids; texts name them by their place in it.
  const tokens = [...new Set(kinds.flatMap(({ texts }) => texts.flat()))].sort((a, b) => a - b);
  const place = new Map(tokens.map((token, i) => [token, i]));
  const tokenIds = BigInt64Array.from(tokens, BigInt);
  const feeds: Feeds = {
    [CONTRASTIVE_INPUTS.pixels]: new ort.Tensor('uint8', batch.pixels, [
      images,
      image_size,
      image_size,
      num_channels,
    ]),
    [CONTRASTIVE_INPUTS.tokens]: new ort.Tensor('int64', tokenIds, [tokens.length]),
    ...usesFeeds(CONTRASTIVE_INPUTS.tokenUses, invertIndices(tokenIds, config.text_config.vocab_size)),
    ...shownFeeds(batch, patchCount(config.vision_config)),
  };
  for (const { kind, texts, length } of kinds) {
    const inputs = textInputs(kind);
    const ids = new BigInt64Array(images * length);
    const pool = new Float32Array(images * length);
    for (const [row, text] of texts.entries()) {
      if (text.length > length) {
        throw new Failure('Pretrain.Caption', `A ${kind} has ${text.length} tokens, more than ${length}.`);
      }
      ids.set(
        BigInt64Array.from(text, (token) => BigInt(place.get(token)!)),
        row * length,
      );
      pool[row * length + poolIndex(text, config.text_config.eos_token_id)] = 1;
    }
    // Nothing that pads a text reaches the loss.
    const used = (at: number): boolean => at % length < texts[Math.floor(at / length)]!.length;
    feeds[inputs.ids] = new ort.Tensor('int64', ids, [images, length]);
    feeds[inputs.pool] = new ort.Tensor('float32', pool, [images, 1, length]);
    feeds[inputs.targets] = new ort.Tensor('float32', pairTargets(texts), [images, images]);
    Object.assign(feeds, usesFeeds(inputs.uses, transposeIndices(ids, used, tokens.length)));
  }
  return feeds;
}

/**
 * What of B images and their B texts belongs together: [B, B], each row sums to 1 / B, evenly over the texts equal to
 * the image's own. Equal texts are those with the same tokens.
 */
export function pairTargets(texts: readonly (readonly number[])[]): Float32Array<ArrayBuffer> {
  const keys = texts.map((text) => text.join());
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const targets = new Float32Array(texts.length ** 2);
  for (const [i, own] of keys.entries()) {
    for (const [j, other] of keys.entries()) {
      if (own === other) targets[i * texts.length + j] = 1 / (texts.length * counts.get(own)!);
    }
  }
  return targets;
}

function shownFeeds({ shownPatches, key }: ContrastiveBatch, all: number): Feeds {
  if (shownPatches === all) return {};
  const patches = randomStream('shown patches', ...key)
    .sample(shownPatches, all)
    .sort();
  const positions = BigInt64Array.from([0, ...patches.map((patch) => patch + 1)], BigInt);
  const indices = BigInt64Array.from(patches, BigInt);
  return {
    [CONTRASTIVE_INPUTS.patches]: new ort.Tensor('int64', indices, [indices.length]),
    [CONTRASTIVE_INPUTS.positions]: new ort.Tensor('int64', positions, [positions.length]),
    ...usesFeeds(CONTRASTIVE_INPUTS.positionUses, invertIndices(positions, 1 + all)),
  };
}
