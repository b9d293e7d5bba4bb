/** Scores of images from their activations, at parameters that are still being trained. */
import * as ort from 'onnxruntime-node';
import { fromHalves } from '../../data/half.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import type { ClipConfig, HeadSettings } from '../clip/config.ts';
import { projectTokens, visionBlocks } from '../clip/vision.ts';
import { scoreCategories, type HeadShape } from '../head/head.ts';
import { neighbourFeeds, neighbourInputs, neighbourTables } from '../head/neighbours.ts';
import { HEAD_PREFIX } from '../head/shape.ts';
import { Graph } from '../onnx/graph.ts';
import { classifyRuntimeError, createSession, type DeviceOptions } from '../onnx/session.ts';
import { headChunk } from '../tagger.ts';
import { parameterFeeds, parameterInputs, type Parameters } from '../train/parameters.ts';
import { hiddenInput, STEP_INPUTS } from './rankingGraph.ts';

export interface ScorerOptions {
  config: ClipConfig;
  head: HeadSettings;
  headShape: HeadShape | undefined;
  trainedBlocks: number;
  /** [C, d], unit length: all are scored. */
  text: Float32Array;
  /** The graph among them. */
  edges: readonly IndexedEdge[];
}

export interface Scorer {
  /** Most images in a run. */
  readonly batchSize: number;
  /** hidden: bits of float16 [B, T, width] -> scores [B, C]. */
  run(hidden: Uint16Array): Promise<Float32Array>;
  release(): Promise<void>;
}

export async function createScorer(
  parameters: Parameters,
  options: ScorerOptions,
  device: DeviceOptions,
  largestBatch: number,
): Promise<Scorer> {
  const { config, head, headShape, trainedBlocks, text, edges } = options;
  const d = config.projection_dim;
  const categories = text.length / d;
  const blocks = config.vision_config.num_hidden_layers;
  const graph = new Graph('scores');
  const hidden = hiddenInput(graph, config);
  const { weights } = parameterInputs(graph, parameters);
  const tokens = projectTokens(
    visionBlocks(hidden, config, weights, blocks - trainedBlocks, blocks),
    config,
    weights,
  );
  const tables = headShape && neighbourTables(categories, edges);
  const { batchSize, chunkSize } = headChunk(largestBatch, {
    categories,
    patches: tokens.patches.size(1),
    width: tables?.width ?? 1,
    d,
  });
  const scores = scoreCategories({
    tokens,
    text: graph.constant(text, [categories, d]),
    settings: head,
    ...(headShape &&
      tables && {
        ist: {
          weights: (name: string, shape: readonly number[]) => weights(HEAD_PREFIX + name, shape),
          shape: headShape,
          tables: neighbourInputs(graph, tables),
          hopOffsets: Array.from({ length: headShape.layers + 1 }, () => categories),
        },
      }),
    chunkSize,
  });
  graph.output('scores', scores);
  const session = await createSession(graph.encode(), device);
  const { hidden_size: width } = config.vision_config;
  const perImage = (1 + tokens.patches.size(1)) * width;
  const constant = { ...parameterFeeds(parameters), ...(tables && neighbourFeeds(tables)) };
  return {
    batchSize,
    async run(values) {
      const images = values.length / perImage;
      try {
        const results = await session.run({
          ...constant,
          [STEP_INPUTS.hidden]: new ort.Tensor('float32', fromHalves(values), [
            images,
            perImage / width,
            width,
          ]),
        });
        return results['scores']!.data as Float32Array;
      } catch (error) {
        throw classifyRuntimeError(error, device.provider);
      }
    },
    release: () => session.release(),
  };
}
