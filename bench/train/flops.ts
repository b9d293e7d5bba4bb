import { Graph, type Dim } from '../../model/onnx/graph.ts';
import {
  buildRankingGraph,
  globalInput,
  hiddenInput,
  type RankingGraphOptions,
} from '../../model/train/rankingGraph.ts';
import type { StepCase } from './cases.ts';

/** Floating-point operations of the matrix products in a step's graph, two per multiplication and addition. */
export function stepFlops(
  options: Omit<RankingGraphOptions, 'nodes'>,
  { categories, inDegree, batch }: StepCase,
): number {
  const graph = new Graph('count');
  const activations = {
    hidden: hiddenInput(graph, options.config, 'float32'),
    global: globalInput(graph, options.config),
  };
  buildRankingGraph(graph, activations, {
    ...options,
    nodes: { count: categories, width: inDegree },
  });
  // A symbolic dimension is the batch, or a product with it.
  const size = (dim: Dim): number =>
    typeof dim === 'number'
      ? dim
      : dim.split('*').reduce((n, part) => n * (part === 'B' ? batch : Number(part)), 1);
  return graph.nodes
    .filter(({ op }) => op === 'MatMul')
    .reduce((sum, { inputs, outputs }) => {
      const product = outputs[0]!.shape.reduce<number>((n, dim) => n * size(dim), 1);
      return sum + 2 * product * size(inputs[0]!.shape.at(-1)!);
    }, 0);
}
