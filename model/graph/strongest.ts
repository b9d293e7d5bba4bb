import { RELATIONS, type GraphEdge } from '../../data/graphFile.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';

/** Incoming edges per category: the rule of graph building (docs/method.md). */
export const MAX_INCOMING = 16;

/**
 * The edges that a category keeps of those into it: at most {@link MAX_INCOMING}, strongest first, then by the source's
 * name (UTF-8 bytes) and the relation. Where one of them comes from a seen category, so does one that is kept.
 */
export function strongest(candidates: readonly GraphEdge[], seen: ReadonlySet<string>): GraphEdge[] {
  const sorted = [...candidates].sort(compareEdges);
  const kept = sorted.slice(0, MAX_INCOMING);
  const strongestSeen = sorted.find(({ source }) => seen.has(source));
  // Only seen categories were trained on, so their evidence must not be crowded out.
  if (strongestSeen !== undefined && !kept.includes(strongestSeen)) kept[kept.length - 1] = strongestSeen;
  return kept;
}

/** Order of edges into one category: strongest first, then by source and relation. */
export function compareEdges(a: GraphEdge, b: GraphEdge): number {
  return (
    b.strength - a.strength ||
    compareUtf8(a.source, b.source) ||
    RELATIONS.indexOf(a.relation) - RELATIONS.indexOf(b.relation)
  );
}
