import type { CategoryGraph, GraphEdge } from '../graphFile.ts';
import { compareUtf8 } from '../utf8Order.ts';

/** An edge of both graphs, with another strength. */
export interface ChangedEdge extends Omit<GraphEdge, 'strength'> {
  before: number;
  after: number;
}

/** How one graph became another, in the order of targets, then sources, then relations. */
export interface GraphDiff {
  added: GraphEdge[];
  removed: GraphEdge[];
  changed: ChangedEdge[];
  /** Edges that are the same in both. */
  unchanged: number;
}

/** Compares edges by source, target and relation. An edge of another relation is another edge. */
export function diffGraphs(before: CategoryGraph, after: CategoryGraph): GraphDiff {
  const known = new Map(before.edges.map((edge) => [identityOf(edge), edge]));
  const diff: GraphDiff = { added: [], removed: [], changed: [], unchanged: 0 };
  for (const edge of after.edges) {
    const identity = identityOf(edge);
    const old = known.get(identity);
    known.delete(identity);
    if (old === undefined) diff.added.push(edge);
    else if (old.strength === edge.strength) diff.unchanged++;
    else {
      const { source, target, relation, strength } = edge;
      diff.changed.push({ source, target, relation, before: old.strength, after: strength });
    }
  }
  diff.removed.push(...known.values());
  for (const edges of [diff.added, diff.removed, diff.changed]) edges.sort(inOrder);
  return diff;
}

const identityOf = ({ source, target, relation }: GraphEdge): string =>
  JSON.stringify([source, target, relation]);

const inOrder = (a: Omit<GraphEdge, 'strength'>, b: Omit<GraphEdge, 'strength'>): number =>
  compareUtf8(a.target, b.target) || compareUtf8(a.source, b.source) || compareUtf8(a.relation, b.relation);
