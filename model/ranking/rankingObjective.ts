import * as ort from 'onnxruntime-node';
import { fromHalves } from '../../data/half.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import { neighbourFeeds, neighbourTables } from '../head/neighbours.ts';
import { Graph } from '../onnx/graph.ts';
import { classifyRuntimeError, createSession, type DeviceOptions, type Feeds } from '../onnx/session.ts';
import { transposeIndices, usesFeeds } from '../onnx/uses.ts';
import type { Objective, StepGradients } from '../train/objective.ts';
import { parameterFeeds, type Parameters } from '../train/parameters.ts';
import {
  buildRankingGraph,
  globalInput,
  hiddenInput,
  STEP_INPUTS,
  USES_INPUT,
  type RankingGraphOptions,
} from './rankingGraph.ts';
import { incomingEdges, sampleCategories } from './subVocabulary.ts';

/** What is known of an image: indices of categories. */
export interface ImageLabels {
  present: readonly number[];
  /** null: every category that is not present. */
  absent: readonly number[] | null;
}

/** Images of a step, as activations (model/ranking/activations.ts). */
export interface RankingBatch {
  /** [B, T, width]; half precision, as activations are kept, as its bits. */
  hidden: Uint16Array | Float32Array;
  /** [B, d], unit length. */
  global: Float32Array;
  /** [B]; null for an image that could not be read, which is left out of the mean. */
  labels: readonly (ImageLabels | null)[];
  /** Names the sample of categories, where the vocabulary is larger than a step takes. */
  sample: readonly number[];
}

export interface RankingOptions extends Omit<RankingGraphOptions, 'nodes'> {
  /** [C, d], unit length: the categories that are trained on. */
  text: Float32Array;
  /** The graph among them. */
  edges: readonly IndexedEdge[];
  /** The most categories of a step. */
  maxCategories: number;
  /** Images whose gradients are computed at once. */
  microBatch: number;
}

/** Ranking loss and distillation, in micro-batches whose gradients are added up. */
export async function createRankingObjective(
  options: RankingOptions,
  device: DeviceOptions,
): Promise<Objective<RankingBatch>> {
  const { config, text, edges, maxCategories, microBatch } = options;
  const d = config.projection_dim;
  const width = config.vision_config.hidden_size;
  const categories = text.length / d;
  const incoming = incomingEdges(categories, edges);
  const count = Math.min(categories, maxCategories);
  const tableWidth = 1 + incoming.reduce((most, { length }) => Math.max(most, length), 0);
  const graph = new Graph('training step');
  const activations = {
    hidden: hiddenInput(graph, config),
    global: globalInput(graph, config),
  };
  buildRankingGraph(graph, activations, { ...options, nodes: { count, width: tableWidth } });
  const session = await createSession(graph.encode(), device);

  /** Feeds that say which categories a step is about. */
  const vocabularyFeeds = (nodes: readonly number[]): Feeds => {
    const rows = new Float32Array(count * d);
    for (const [row, node] of nodes.entries()) rows.set(text.subarray(node * d, (node + 1) * d), row * d);
    const feeds: Feeds = { [STEP_INPUTS.text]: new ort.Tensor('float32', rows, [count, d]) };
    if (!options.headShape) return feeds;
    const index = new Map(nodes.map((node, row) => [node, row]));
    const among = nodes.flatMap((node, target) =>
      incoming[node]!.flatMap((edge) => {
        const source = index.get(edge.source);
        return source === undefined ? [] : [{ ...edge, source, target }];
      }),
    );
    const tables = neighbourTables(count, among, tableWidth);
    const uses = transposeIndices(tables.sources, (place) => tables.bias[place] === 0, count);
    return { ...feeds, ...neighbourFeeds(tables), ...usesFeeds(USES_INPUT, uses) };
  };
  const whole = count === categories ? vocabularyFeeds([...incoming.keys()]) : undefined;

  return {
    async gradients(parameters, batch) {
      const images = batch.labels.length;
      const nodes = whole
        ? [...incoming.keys()]
        : sampleCategories(incoming, presentIn(batch), count, batch.sample);
      const constant: Feeds = { ...(whole ?? vocabularyFeeds(nodes)), ...parameterFeeds(parameters) };
      const weight = 1 / Math.max(1, batch.labels.filter((labels) => labels !== null).length);
      const perImage = batch.hidden.length / images;
      let sum: StepGradients | undefined;
      for (let from = 0; from < images; from += microBatch) {
        const to = Math.min(images, from + microBatch);
        const labels = batch.labels.slice(from, to);
        const hidden = floats(batch.hidden.subarray(from * perImage, to * perImage));
        const global = batch.global.subarray(from * d, to * d);
        const feeds: Feeds = {
          ...constant,
          ...labelFeeds(labels, nodes, weight),
          [STEP_INPUTS.hidden]: new ort.Tensor('float32', hidden, [to - from, perImage / width, width]),
          [STEP_INPUTS.global]: new ort.Tensor('float32', global, [to - from, d]),
        };
        let results: ort.InferenceSession.OnnxValueMapType;
        try {
          results = await session.run(feeds);
        } catch (error) {
          throw classifyRuntimeError(error, device.provider);
        }
        sum = addResults(sum, results, parameters);
      }
      return sum!;
    },
    release: () => session.release(),
  };
}

/** ONNX Runtime for Node takes no halves where the engine has a Float16Array, so they are widened here. */
const floats = (values: Uint16Array | Float32Array): Float32Array =>
  values instanceof Uint16Array ? fromHalves(values) : values;

function presentIn({ labels }: RankingBatch): Set<number> {
  return new Set(labels.flatMap((own) => own?.present ?? []));
}

/** Labels, positives and image weights of some images, over the categories `nodes` (ascending). */
function labelFeeds(
  labels: readonly (ImageLabels | null)[],
  nodes: readonly number[],
  weight: number,
): Feeds {
  const count = nodes.length;
  const index = new Map(nodes.map((node, row) => [node, row]));
  const known = (own: readonly number[]) =>
    own.map((category) => index.get(category)).filter((row) => row !== undefined);
  const table = new Float32Array(labels.length * count);
  const present = labels.map((own) => known(own?.present ?? []));
  for (const [image, own] of labels.entries()) {
    const row = table.subarray(image * count, (image + 1) * count);
    if (!own) continue;
    if (own.absent === null) row.fill(-1);
    else for (const category of known(own.absent)) row[category] = -1;
    for (const category of present[image]!) row[category] = 1;
  }
  const most = present.reduce((widest, own) => Math.max(widest, own.length), 1);
  const positives = new Float32Array(labels.length * most).fill(-1);
  for (const [image, own] of present.entries()) positives.set(own, image * most);
  const weights = Float32Array.from(labels, (own) => (own ? weight : 0));
  return {
    [STEP_INPUTS.labels]: new ort.Tensor('float32', table, [labels.length, count]),
    [STEP_INPUTS.positives]: new ort.Tensor('float32', positives, [labels.length, most]),
    [STEP_INPUTS.imageWeights]: new ort.Tensor('float32', weights, [labels.length]),
  };
}

/** Losses and gradients of a part of a batch, added to those before. */
function addResults(
  sum: StepGradients | undefined,
  results: ort.InferenceSession.OnnxValueMapType,
  parameters: Parameters,
): StepGradients {
  const losses: Record<string, number> = {};
  for (const name of ['loss', 'rank', 'distillation'])
    if (results[name]) losses[name] = Number(results[name].data[0]) + (sum?.losses[name] ?? 0);
  const gradients = new Map<string, Float32Array>();
  for (const name of parameters.keys()) {
    const own = results[`gradient ${name}`]!.data as Float32Array;
    const before = sum?.gradients.get(name);
    if (before) for (let i = 0; i < own.length; i++) own[i] = own[i]! + before[i]!;
    gradients.set(name, own);
  }
  return { losses, gradients };
}
