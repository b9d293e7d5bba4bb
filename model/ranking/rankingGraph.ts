/** The graph of a training step's loss and gradients: trained blocks, head, ranking loss and distillation. */
import type { ClipConfig, HeadSettings } from '../clip/config.ts';
import { projectTokens, visionBlocks } from '../clip/vision.ts';
import type { Weights } from '../clip/weights.ts';
import { scoreCategories, type HeadShape } from '../head/head.ts';
import { neighbourInputs } from '../head/neighbours.ts';
import { HEAD_PREFIX } from '../head/shape.ts';
import type { Graph, Tensor } from '../onnx/graph.ts';
import { gradients } from '../onnx/gradients.ts';
import * as op from '../onnx/ops.ts';
import { declareUses } from '../onnx/uses.ts';
import { distillationLoss, rankingLoss } from './losses.ts';
import { parameterInputs } from '../train/parameters.ts';

export interface LossSettings {
  margin: number;
  scale: number;
  /** Weight of the distillation to the frozen encoder; 0 leaves it out. */
  distillation: number;
}

export interface RankingGraphOptions {
  config: ClipConfig;
  head: HeadSettings;
  /** Absent: nothing of the head is trained, and scores are those of CLIP and ISR. */
  headShape: HeadShape | undefined;
  /** Shapes of the trained parameters by name: those of the checkpoint, `head.*` for the head's. */
  parameters: ReadonlyMap<string, { shape: readonly number[] }>;
  /** The last blocks that are trained; the graph begins above those below. */
  trainedBlocks: number;
  /** Categories of a step, and the width of their neighbour table. */
  nodes: { count: number; width: number };
  loss: LossSettings;
}

/** Names of inputs besides parameters, neighbour tables and their uses. */
export const STEP_INPUTS = {
  hidden: 'hidden',
  global: 'global',
  text: 'text',
  labels: 'labels',
  positives: 'positives',
  imageWeights: 'image_weights',
} as const;

/** Prefix of the inputs that say where each category is used as a source. */
export const USES_INPUT = 'neighbour_uses';

/** What the frozen part of the encoder makes of a batch. */
export interface Activations {
  /** What the first trained block is given. [B, 1 + P, width] */
  hidden: Tensor;
  /** f_G of the frozen encoder, unit length. [B, d] */
  global: Tensor;
}

/** {@link Activations.hidden} as an input of the graph. */
export function hiddenInput(graph: Graph, config: ClipConfig): Tensor {
  const { hidden_size, image_size, patch_size } = config.vision_config;
  const tokens = 1 + Math.floor(image_size / patch_size) ** 2;
  return graph.input(STEP_INPUTS.hidden, 'float32', ['B', tokens, hidden_size]);
}

/** {@link Activations.global} as an input of the graph. */
export const globalInput = (graph: Graph, config: ClipConfig): Tensor =>
  graph.input(STEP_INPUTS.global, 'float32', ['B', config.projection_dim]);

/**
 * Appends the loss of a batch: outputs `loss`, `rank`, `distillation` (scalars) and `gradient NAME` for each parameter.
 * Losses are sums over the images times `image_weights`, so that the gradients of parts of a batch add up.
 */
export function buildRankingGraph(
  graph: Graph,
  { hidden, global: frozenGlobal }: Activations,
  options: RankingGraphOptions,
): void {
  const { config, head, headShape, parameters, trainedBlocks, nodes, loss: settings } = options;
  const blocks = config.vision_config.num_hidden_layers;
  const { count } = nodes;
  const text = graph.input(STEP_INPUTS.text, 'float32', [count, config.projection_dim]);
  const labels = graph.input(STEP_INPUTS.labels, 'float32', ['B', count]);
  const positives = graph.input(STEP_INPUTS.positives, 'float32', ['B', 'M']);
  const imageWeights = graph.input(STEP_INPUTS.imageWeights, 'float32', ['B']);
  const inputs = parameterInputs(graph, parameters);
  const trained: Weights = inputs.weights;

  const tokens = projectTokens(
    visionBlocks(hidden, config, trained, blocks - trainedBlocks, blocks),
    config,
    trained,
  );
  const scores = scoreCategories({
    tokens,
    text,
    settings: head,
    ...(headShape && { ist: istOf(graph, headShape, nodes, trained) }),
    chunkSize: count,
  });
  const { margin, scale, distillation: lambda } = settings;
  const rank = rankingLoss({ scores, labels, positives, imageWeights, margin, scale });
  graph.output('rank', rank);
  let loss = rank;
  if (lambda > 0) {
    const distillation = distillationLoss(tokens.global, frozenGlobal, imageWeights);
    graph.output('distillation', distillation);
    loss = op.add(rank, op.mul(distillation, lambda));
  }
  graph.output('loss', loss);
  for (const [i, gradient] of gradients(loss, inputs.tensors).entries())
    graph.output(`gradient ${inputs.names[i]!}`, gradient);
}

function istOf(
  graph: Graph,
  shape: HeadShape,
  { count, width }: RankingGraphOptions['nodes'],
  trained: Weights,
): NonNullable<Parameters<typeof scoreCategories>[0]['ist']> {
  const degrees = new Int32Array(count).fill(width);
  const neighbours = neighbourInputs(graph, { nodes: count, width, degrees });
  declareUses(graph, USES_INPUT, neighbours.sources, count);
  return {
    weights: (name, dims): Tensor => trained(HEAD_PREFIX + name, dims),
    shape,
    tables: neighbours,
    hopOffsets: Array.from({ length: shape.layers + 1 }, () => count),
  };
}
