import { neighbourTables } from '../../model/head/neighbours.ts';
import { Graph, type Dim } from '../../model/onnx/graph.ts';
import { transposeIndices } from '../../model/onnx/uses.ts';
import { buildRankingGraph, globalInput, hiddenInput, USES_INPUT } from '../../model/ranking/rankingGraph.ts';
import type { LoadedCase } from './cases.ts';

/** Floating-point operations of the matrix products in a step's graph, two per multiplication and addition. */
export function stepFlops({ step, options }: LoadedCase): number {
  const { categories, inDegree, batch } = step;
  const graph = new Graph('count');
  const activations = {
    hidden: hiddenInput(graph, options.config),
    global: globalInput(graph, options.config),
  };
  buildRankingGraph(graph, activations, { ...options, nodes: { count: categories, width: inDegree } });

  const tables = neighbourTables(categories, options.edges, inDegree);
  const { pieces, entries } = transposeIndices(tables.sources, (at) => tables.bias[at] === 0, categories);
  const symbols: Record<string, number> = {
    B: batch,
    [`${USES_INPUT}_pieces`]: pieces.rows,
    [`${USES_INPUT}_pieces_width`]: pieces.width,
    [`${USES_INPUT}_entries_width`]: entries.width,
  };
  // A dimension may be a product of others.
  const size = (dim: Dim): number =>
    typeof dim === 'number'
      ? dim
      : dim.split('*').reduce((n, part) => n * (symbols[part] ?? Number(part)), 1);
  return graph
    .neededNodes()
    .filter(({ op }) => op === 'MatMul')
    .reduce((sum, { inputs, outputs }) => {
      const product = outputs[0]!.shape.reduce<number>((n, dim) => n * size(dim), 1);
      return sum + 2 * product * size(inputs[0]!.shape.at(-1)!);
    }, 0);
}
