/** The graph of a contrastive pre-training step: both encoders from pixels and tokens, losses, gradients of everything. */
import { patchCount, type ClipConfig } from '../clip/config.ts';
import { encodeTexts } from '../clip/text.ts';
import { embedImages, normalise, projectTokens, visionBlocks, type ShownPatches } from '../clip/vision.ts';
import type { Graph, Tensor } from '../onnx/graph.ts';
import { gradients } from '../onnx/gradients.ts';
import * as op from '../onnx/ops.ts';
import { declareUses } from '../onnx/uses.ts';
import { parameterInputs } from '../train/parameters.ts';
import { attendedSimilarities, contrastiveLoss, limitedGradient, limitedScale } from './contrastiveLoss.ts';
import { clipParameterShapes, LOGIT_SCALE } from './shapes.ts';

export interface ContrastiveOptions {
  config: ClipConfig;
  /** Of the preprocessor: what {@link normalise} takes. */
  normalisation: { scale: number; mean: readonly number[]; std: readonly number[] };
  /** Tokens of the longest caption, start and end included. */
  captionTokens: number;
  /** Tokens of the longest mention. */
  mentionTokens: number;
  /** Weight of the local term; 0 leaves it and the mentions out. */
  localWeight: number;
  /** Temperature of a mention's attention over the patches. */
  localTemperature: number;
}

/** The two kinds of texts of a step. */
export const TEXT_KINDS = ['caption', 'mention'] as const;
export type TextKind = (typeof TEXT_KINDS)[number];

/** Names of the inputs besides parameters. */
export const CONTRASTIVE_INPUTS = {
  pixels: 'pixels',
  patches: 'patches',
  positions: 'positions',
  positionUses: 'position_uses',
  tokens: 'tokens',
  tokenUses: 'token_uses',
} as const;

/** Names of the inputs of one kind of text. */
export const textInputs = (kind: TextKind) => ({
  ids: `${kind}_ids`,
  pool: `${kind}_pool`,
  targets: `${kind}_targets`,
  uses: `${kind}_uses`,
});

/**
 * Appends the loss of a batch of B images, each with a caption and (where there is a local term) a mention: outputs
 * `loss` = `global` + localWeight x `local`, all three scalars, and `gradient NAME` for every parameter of the CLIP.
 * `contrastiveFeeds` makes its inputs. `shownPatches` of an image's patches take part.
 *
 * The losses compare all pairs of the batch, so that gradients of parts of a batch do not add up to that of the whole:
 * the batch is as large as memory allows, never cut.
 */
export function buildContrastiveGraph(graph: Graph, options: ContrastiveOptions, shownPatches: number): void {
  const { config, normalisation, localWeight, localTemperature } = options;
  const { image_size, num_hidden_layers } = config.vision_config;
  const { vocab_size, hidden_size, max_position_embeddings } = config.text_config;
  const { names, tensors, weights } = parameterInputs(graph, clipParameterShapes(config));

  const pixels = graph.input(CONTRASTIVE_INPUTS.pixels, 'uint8', ['B', image_size, image_size, 3]);
  const shown = shownInputs(graph, config, shownPatches);
  const embedded = embedImages(normalise(pixels, normalisation), config, weights, shown);
  const image = projectTokens(visionBlocks(embedded, config, weights, 0, num_hidden_layers), config, weights);

  // The table of embeddings is gathered from once, by the tokens that the batch has: its gradient is then a gather of
  // one row per entry of the vocabulary, however large that is, and what is summed has the size of the batch.
  const tokens = graph.input(CONTRASTIVE_INPUTS.tokens, 'int64', ['U']);
  declareUses(graph, CONTRASTIVE_INPUTS.tokenUses, tokens, vocab_size);
  const table = weights('text_model.embeddings.token_embedding.weight', [vocab_size, hidden_size]);
  const rows = op.gather(table, tokens, 0); // [U, width]
  const encode = (kind: TextKind, length: number) => {
    const inputs = textInputs(kind);
    const count = Math.min(length, max_position_embeddings);
    const ids = graph.input(inputs.ids, 'int64', ['B', count]);
    const pool = graph.input(inputs.pool, 'float32', ['B', 1, count]);
    declareUses(graph, inputs.uses, ids, 'U');
    const features = encodeTexts(graph, ids, pool, config, weights, () => op.gather(rows, ids, 0));
    return { features, targets: graph.input(inputs.targets, 'float32', ['B', 'B']) };
  };

  const logScale = weights(LOGIT_SCALE, []);
  const scale = limitedScale(logScale);
  const caption = encode('caption', options.captionTokens);
  const similarities = op.matMul(image.global, op.transpose(caption.features, [1, 0]));
  const global = contrastiveLoss(similarities, scale, caption.targets);
  graph.output('global', global);
  let loss = global;
  if (localWeight > 0) {
    const mention = encode('mention', options.mentionTokens);
    const attended = attendedSimilarities(image.patches, mention.features, localTemperature);
    const local = contrastiveLoss(attended, scale, mention.targets);
    graph.output('local', local);
    loss = op.add(global, op.mul(local, localWeight));
  }
  graph.output('loss', loss);
  for (const [i, gradient] of gradients(loss, tensors).entries()) {
    const limited = names[i] === LOGIT_SCALE ? limitedGradient(gradient, logScale) : gradient;
    graph.output(`gradient ${names[i]!}`, limited);
  }
}

/** The inputs that say which patches are shown; none where all are. */
function shownInputs(graph: Graph, { vision_config }: ClipConfig, count: number): ShownPatches | undefined {
  const all = patchCount(vision_config);
  if (count === all) return undefined;
  const indices = (name: string, size: number): Tensor => graph.input(name, 'int64', [size]);
  const positions = indices(CONTRASTIVE_INPUTS.positions, 1 + count);
  declareUses(graph, CONTRASTIVE_INPUTS.positionUses, positions, 1 + all);
  return { patches: indices(CONTRASTIVE_INPUTS.patches, count), positions };
}
