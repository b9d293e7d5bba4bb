import type { Vocabulary } from '../tagger.ts';

/** What decides one category's score: a vocabulary in which it alone is asked. */
export interface Neighbourhood {
  vocabulary: Vocabulary;
  /** Of each of its nodes, the index in the vocabulary that it is a part of; the first is the category's. */
  nodes: readonly number[];
}

/**
 * The part of a vocabulary that one category's score depends on: the nodes within as many hops as the head has layers,
 * and the edges among them. The category's score over it is the one over the whole.
 *
 * @param category index of an asked category
 * @param layers of the head; 0 for an untrained one, which passes no messages
 * @param d joint dimension
 */
export function neighbourhood(
  vocabulary: Vocabulary,
  category: number,
  layers: number,
  d: number,
): Neighbourhood {
  const sources = new Map<number, number[]>();
  for (const { source, target } of vocabulary.edges) {
    const known = sources.get(target);
    if (known) known.push(source);
    else sources.set(target, [source]);
  }
  const places = new Map([[category, 0]]);
  const hopOffsets = [1];
  let reached = [category];
  for (let hop = 0; hop < layers; hop++) {
    const next = new Set(
      reached.flatMap((node) => sources.get(node) ?? []).filter((node) => !places.has(node)),
    );
    reached = [...next].sort((a, b) => a - b);
    for (const node of reached) places.set(node, places.size);
    hopOffsets.push(places.size);
  }
  const nodes = [...places.keys()];
  const text = new Float32Array(nodes.length * d);
  for (const [place, node] of nodes.entries())
    text.set(vocabulary.text.subarray(node * d, (node + 1) * d), place * d);
  const edges = vocabulary.edges.flatMap((edge) => {
    const source = places.get(edge.source);
    const target = places.get(edge.target);
    return source === undefined || target === undefined ? [] : [{ ...edge, source, target }];
  });
  return { vocabulary: { text, asked: 1, edges, hopOffsets }, nodes };
}
