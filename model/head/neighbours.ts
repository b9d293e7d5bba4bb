/**
 * The category graph as padded tables: for each category the sources of its incoming edges, padded to one width.
 * Gather, softmax and sums over that axis take the place of scatters, which ONNX Runtime gets wrong on several
 * threads (docs/decisions/0003-neighbour-tables.md).
 */
import * as ort from 'onnxruntime-node';
import type { IndexedEdge } from '../../data/subgraph.ts';
import type { Graph, Tensor } from '../onnx/graph.ts';
import type { Feeds } from '../onnx/session.ts';

/** One-hot relation (6) and strength (1), as the reference's `edge_attr`. */
export const EDGE_FEATURES = 7;

/** Added to the attention logits of padding: softmax turns it into exactly 0. */
const PADDING = -1e30;

export interface NeighbourTables {
  /** Number of nodes that have a row. */
  nodes: number;
  /** Entries per row: the highest in-degree, self loop included. */
  width: number;
  /** In-degree of each node, self loop included. [nodes] */
  degrees: Int32Array;
  /** Index of the source; 0 in padding. [nodes, width] */
  sources: BigInt64Array;
  /** [nodes, width, EDGE_FEATURES]; 0 in padding */
  features: Float32Array;
  /** 0 for an edge, {@link PADDING} for padding. [nodes, width] */
  bias: Float32Array;
}

/**
 * Tables for `nodes` categories, at least `leastWidth` wide. Self loops (relation `self`, index 0, strength 1) are added
 * here, first in each row.
 */
export function neighbourTables(
  nodes: number,
  edges: readonly IndexedEdge[],
  leastWidth = 1,
): NeighbourTables {
  const rows = Array.from({ length: nodes }, (_, i): IndexedEdge[] => [
    { source: i, target: i, relation: 0, strength: 1 },
  ]);
  for (const edge of edges) rows[edge.target]?.push(edge);
  const degrees = Int32Array.from(rows, (row) => row.length);
  const width = degrees.reduce((a, b) => Math.max(a, b), leastWidth);
  const sources = new BigInt64Array(nodes * width);
  const features = new Float32Array(nodes * width * EDGE_FEATURES);
  const bias = new Float32Array(nodes * width).fill(PADDING);
  for (const [node, row] of rows.entries()) {
    for (const [i, { source, relation, strength }] of row.entries()) {
      const at = node * width + i;
      sources[at] = BigInt(source);
      features[at * EDGE_FEATURES + relation] = 1;
      features[at * EDGE_FEATURES + EDGE_FEATURES - 1] = strength;
      bias[at] = 0;
    }
  }
  return { nodes, width, degrees, sources, features, bias };
}

/** The same tables without the edges from one node to another. */
export function withoutNeighbour(tables: NeighbourTables, target: number, source: number): NeighbourTables {
  const { width, degrees, sources } = tables;
  const bias = tables.bias.slice();
  // The first entry of a row is the self loop, which stays.
  for (let at = target * width + 1; at < target * width + degrees[target]!; at++)
    if (sources[at] === BigInt(source)) bias[at] = PADDING;
  return { ...tables, bias };
}

/** The tables inside a graph. */
export interface NeighbourTensors {
  /** int64 [nodes, width] */
  sources: Tensor;
  /** [nodes, width, EDGE_FEATURES] */
  features: Tensor;
  /** [nodes, width] */
  bias: Tensor;
  degrees: Int32Array;
}

/** Names of the graph inputs that {@link neighbourInputs} declares. */
const inputNames = (suffix: string) =>
  [`neighbour_sources${suffix}`, `neighbour_features${suffix}`, `neighbour_bias${suffix}`] as const;

/**
 * Declares the tables as inputs of `graph`. Inputs and not constants, because ONNX Runtime would fold the edge term of
 * the attention into a constant [nodes, width, d] per layer: 250 MB each at 7,186 categories and d = 512.
 *
 * @param suffix of the inputs' names, which tells several tables in one graph apart
 */
export function neighbourInputs(
  graph: Graph,
  { nodes, width, degrees }: Pick<NeighbourTables, 'nodes' | 'width' | 'degrees'>,
  suffix = '',
): NeighbourTensors {
  const [sources, features, bias] = inputNames(suffix);
  return {
    sources: graph.input(sources, 'int64', [nodes, width]),
    features: graph.input(features, 'float32', [nodes, width, EDGE_FEATURES]),
    bias: graph.input(bias, 'float32', [nodes, width]),
    degrees,
  };
}

/** The feeds that {@link neighbourInputs} declares. */
export function neighbourFeeds(
  { nodes, width, sources, features, bias }: NeighbourTables,
  suffix = '',
): Feeds {
  const [sourceName, featureName, biasName] = inputNames(suffix);
  return {
    [sourceName]: new ort.Tensor('int64', sources, [nodes, width]),
    [featureName]: new ort.Tensor('float32', features, [nodes, width, EDGE_FEATURES]),
    [biasName]: new ort.Tensor('float32', bias, [nodes, width]),
  };
}
