import { RELATIONS, type CategoryGraph, type GraphEdge } from './graphFile.ts';
import { compareUtf8 } from './utf8Order.ts';

/** The part of a category graph that one vocabulary needs. */
export interface Subgraph {
  /** Asked categories in the asked order, then seen ones by hop distance, then by name (UTF-8 bytes). */
  nodes: string[];
  /** [hops + 1] Nodes within h hops of an asked one are `nodes[0 .. hopOffsets[h])`; `hopOffsets[0]` is the asked. */
  hopOffsets: number[];
  /** Every edge between two nodes, by target, source, relation; without the implied self loops. */
  edges: IndexedEdge[];
}

/** An edge between two nodes of a {@link Subgraph}. */
export interface IndexedEdge {
  /** Index into `nodes`. */
  source: number;
  /** Index into `nodes`. */
  target: number;
  /** Index into `RELATIONS`; never 0, which is `self`. */
  relation: number;
  /** In (0, 1]. */
  strength: number;
}

/**
 * The asked categories and the seen ones whose evidence reaches one of them within `hops` edges, each edge from source
 * to target between two categories that are asked or seen: no evidence passes through a category that is not scored.
 *
 * @param asked unique names; those that the graph does not know become nodes without edges.
 * @param seen categories that the model was trained on.
 * @param hops >= 0; as many as the head has graph layers makes the asked scores those of the whole graph.
 */
export function subgraph(
  graph: CategoryGraph,
  asked: readonly string[],
  seen: ReadonlySet<string>,
  hops: number,
): Subgraph {
  const incoming = new Map<string, GraphEdge[]>();
  for (const edge of graph.edges) {
    const edges = incoming.get(edge.target);
    if (edges === undefined) incoming.set(edge.target, [edge]);
    else edges.push(edge);
  }

  const nodes = [...asked];
  const indices = new Map(nodes.map((name, i) => [name, i]));
  const hopOffsets = [nodes.length];
  for (let hop = 1, start = 0; hop <= hops; hop++) {
    const reached = new Set<string>();
    for (const target of nodes.slice(start))
      for (const { source } of incoming.get(target) ?? [])
        if (seen.has(source) && !indices.has(source)) reached.add(source);
    start = nodes.length;
    for (const name of [...reached].sort(compareUtf8)) {
      indices.set(name, nodes.length);
      nodes.push(name);
    }
    hopOffsets.push(nodes.length);
  }

  const edges = nodes.flatMap((name, target) =>
    (incoming.get(name) ?? [])
      .filter(({ source }) => indices.has(source))
      .map(({ source, relation, strength }) => ({
        source: indices.get(source)!,
        target,
        relation: RELATIONS.indexOf(relation),
        strength,
      }))
      .sort((a, b) => a.source - b.source || a.relation - b.relation),
  );
  return { nodes, hopOffsets, edges };
}
