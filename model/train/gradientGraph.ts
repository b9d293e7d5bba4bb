/** The graph of one training step's loss and gradients. */
import type { ClipConfig, HeadSettings } from '../clip/config.ts';
import { embedImages, projectTokens, visionBlocks } from '../clip/vision.ts';
import type { Weights } from '../clip/weights.ts';
import { scoreCategories, type HeadShape } from '../head/head.ts';
import { HEAD_PREFIX } from '../head/shape.ts';
import { neighbourInputs, type NeighbourTables } from '../head/neighbours.ts';
import type { Graph } from '../onnx/graph.ts';
import { type Tensor } from '../onnx/graph.ts';
import { gradients } from '../onnx/gradients.ts';
import * as op from '../onnx/ops.ts';
import { declareUses, transposeIndices, type Uses } from '../onnx/uses.ts';
import { distillationLoss, rankingLoss } from './losses.ts';

export interface LossSettings {
  margin: number;
  scale: number;
  /** Weight of the distillation to the frozen encoder; 0 leaves it out. */
  distillation: number;
}

export interface GradientGraphOptions {
  config: ClipConfig;
  head: HeadSettings;
  headShape: HeadShape;
  /** Shapes of the trained parameters by name: those of the checkpoint, `head.*` for the head's. */
  parameters: ReadonlyMap<string, { shape: readonly number[] }>;
  /** The last blocks that are trained; what lies below them is not differentiated. */
  trainedBlocks: number;
  /** [C, d], unit length: the seen categories. */
  text: Float32Array;
  /** The graph among them. */
  tables: NeighbourTables;
  loss: LossSettings;
}

/** Names of inputs besides parameters and neighbour tables. */
export const STEP_INPUTS = {
  pixels: 'pixels',
  labels: 'labels',
  positives: 'positives',
  imageWeights: 'image_weights',
} as const;

/** The input that a trained parameter is; the frozen weight of the same name is in the graph too. */
export const parameterInput = (name: string): string => `trained ${name}`;

/** Prefix of the inputs that say where each category is used as a source. */
export const USES_INPUT = 'neighbour_uses';

/**
 * Loss and gradients of a batch: pixels [B, 3, S, S] -> `loss`, `rank`, `distillation` (scalars) and `gradient NAME`
 * for each parameter. The frozen weights, below the trained blocks and for the distillation, are `frozen`'s.
 */
export function buildGradientGraph(
  graph: Graph,
  frozen: Weights,
  options: GradientGraphOptions,
): { graph: Graph; uses: Uses } {
  const { config, head, headShape, parameters, trainedBlocks, text, tables, loss: settings } = options;
  const layers = config.vision_config.num_hidden_layers;
  const side = config.vision_config.image_size;
  const categories = tables.nodes;
  const d = config.projection_dim;

  const pixels = graph.input(STEP_INPUTS.pixels, 'float32', ['B', 3, side, side]);
  const labels = graph.input(STEP_INPUTS.labels, 'float32', ['B', categories]);
  const positives = graph.input(STEP_INPUTS.positives, 'float32', ['B', 'M']);
  const imageWeights = graph.input(STEP_INPUTS.imageWeights, 'float32', ['B']);
  const inputs = new Map(
    [...parameters].map(([name, { shape }]): [string, Tensor] => [
      name,
      graph.input(parameterInput(name), 'float32', shape),
    ]),
  );
  const trained: Weights = (name, shape) => inputs.get(name) ?? frozen(name, shape);

  const neighbours = neighbourInputs(graph, tables);
  const uses = transposeIndices(tables.sources, (place) => tables.bias[place] === 0, categories);
  declareUses(graph, USES_INPUT, neighbours.sources, uses);

  const split = layers - trainedBlocks;
  const hidden = visionBlocks(embedImages(pixels, config, frozen), config, frozen, 0, split);
  const tokens = projectTokens(visionBlocks(hidden, config, trained, split, layers), config, trained);
  const scores = scoreCategories({
    tokens,
    text: graph.constant(text, [categories, d]),
    settings: head,
    ist: {
      weights: (name, shape) => trained(HEAD_PREFIX + name, shape),
      shape: headShape,
      tables: neighbours,
      hopOffsets: Array.from({ length: headShape.layers + 1 }, () => categories),
    },
    chunkSize: categories,
  });
  const { margin, scale, distillation: lambda } = settings;
  const rank = rankingLoss({ scores, labels, positives, imageWeights, margin, scale });
  graph.output('rank', rank);
  let loss = rank;
  if (lambda > 0) {
    const still = projectTokens(visionBlocks(hidden, config, frozen, split, layers), config, frozen);
    const distillation = distillationLoss(tokens.global, still.global, imageWeights);
    graph.output('distillation', distillation);
    loss = op.add(rank, op.mul(distillation, lambda));
  }
  graph.output('loss', loss);
  const names = [...inputs.keys()];
  for (const [i, gradient] of gradients(loss, [...inputs.values()]).entries())
    graph.output(`gradient ${names[i]!}`, gradient);
  return { graph, uses };
}
