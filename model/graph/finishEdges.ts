import type { GraphEdge } from '../../data/graphFile.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { compareEdges, strongest } from './strongest.ts';

export interface FinishedEdges {
  /** By target, in the given order of categories; then strongest first. */
  edges: GraphEdge[];
  /** Edges that were left out, by reason. */
  dropped: Record<'repeated' | 'circular-is-a' | 'over-limit', number>;
  /** Categories without an edge from a seen one, in the given order. */
  withoutSeen: string[];
}

/**
 * A graph's edges of all that were proposed, by the rules of docs/method.md:
 *
 * - of an edge that is proposed twice the stronger stays;
 * - `is-a` runs from the special to the general only: taken strongest first, an edge that would close a circle is left
 *   out (of "a dog is a pet" and "a pet is a dog", the weaker);
 * - each category keeps the {@link strongest} edges into it, and one from a seen category where there is one; where none
 *   is proposed, what `link` finds.
 *
 * The same proposals in any order give the same edges.
 *
 * @param targets names of the categories that edges lead to; edges to others are not looked at.
 * @param link a last resort: an edge from a seen category to a target that has none.
 */
export function finishEdges(
  proposed: readonly GraphEdge[],
  {
    targets,
    seen,
    link = () => undefined,
  }: {
    targets: readonly string[];
    seen: ReadonlySet<string>;
    link?: (target: string) => GraphEdge | undefined;
  },
): FinishedEdges {
  const unique = new Map<string, GraphEdge>();
  for (const edge of proposed) {
    const key = JSON.stringify([edge.source, edge.target, edge.relation]);
    const other = unique.get(key);
    if (other === undefined || edge.strength > other.strength) unique.set(key, edge);
  }
  const upward = withoutCircles([...unique.values()]);
  const incoming = Map.groupBy(upward, ({ target }) => target);
  const withoutSeen: string[] = [];
  let overLimit = 0;
  const edges = targets.flatMap((target) => {
    const candidates = [...(incoming.get(target) ?? [])];
    if (!candidates.some(({ source }) => seen.has(source))) {
      const last = link(target);
      if (last !== undefined) candidates.push(last);
      else withoutSeen.push(target);
    }
    const kept = strongest(candidates, seen);
    overLimit += candidates.length - kept.length;
    return kept;
  });
  return {
    edges,
    dropped: {
      repeated: proposed.length - unique.size,
      'circular-is-a': unique.size - upward.length,
      'over-limit': overLimit,
    },
    withoutSeen,
  };
}

/** The edges without those of `is-a` that lead back to where a stronger one came from. */
function withoutCircles(edges: readonly GraphEdge[]): GraphEdge[] {
  const general = new Map<string, string[]>();
  const leadsTo = (from: string, to: string): boolean => {
    const reached = new Set([from]);
    for (const name of reached) {
      if (name === to) return true;
      for (const next of general.get(name) ?? []) reached.add(next);
    }
    return false;
  };
  return [...edges]
    .sort((a, b) => compareEdges(a, b) || compareUtf8(a.target, b.target))
    .filter(({ source, target, relation }) => {
      if (relation !== 'is-a') return true;
      if (leadsTo(target, source)) return false;
      general.set(source, [...(general.get(source) ?? []), target]);
      return true;
    });
}
