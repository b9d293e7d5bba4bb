/**
 * The categories of a step. A graph layer over 7,186 categories makes tensors of 250 MB per image, so a step of a large
 * vocabulary takes a part of it: the categories that its images show, sampled ones, and their neighbours.
 */
import type { IndexedEdge } from '../../data/subgraph.ts';
import { randomStream } from '../../data/random.ts';

/** Incoming edges of each category, strongest first; equal strengths keep their order. */
export function incomingEdges(categories: number, edges: readonly IndexedEdge[]): IndexedEdge[][] {
  const incoming = Array.from({ length: categories }, (): IndexedEdge[] => []);
  for (const edge of edges) incoming[edge.target]!.push(edge);
  for (const own of incoming) own.sort((a, b) => b.strength - a.strength);
  return incoming;
}

/**
 * `count` of the categories, ascending: those in `present` (at most half of `count`, sampled where there are more), then,
 * with their sources along incoming edges, the present ones and others sampled until there are `count`.
 * All of them where there are no more than `count`. The same `key` gives the same sample.
 */
export function sampleCategories(
  incoming: readonly (readonly IndexedEdge[])[],
  present: ReadonlySet<number>,
  count: number,
  key: readonly (number | string)[],
): number[] {
  const all = [...incoming.keys()];
  if (all.length <= count) return all;
  const stream = randomStream('categories', ...key);
  const order = (values: readonly number[]) => [...stream.permutation(values.length)].map((i) => values[i]!);
  const shown = order([...present].sort((a, b) => a - b)).slice(0, Math.floor(count / 2));
  const chosen = new Set(shown);
  for (const target of [...shown, ...order(all.filter((category) => !present.has(category)))]) {
    for (const category of [target, ...incoming[target]!.map(({ source }) => source)]) {
      if (chosen.size === count) return [...chosen].sort((a, b) => a - b);
      chosen.add(category);
    }
  }
  return [...chosen].sort((a, b) => a - b);
}
