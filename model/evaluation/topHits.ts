import type { Group } from '../../data/evaluation/systems.ts';
import { topScores } from '../topScores.ts';

/** The categories of a group, ready for ranking. */
export interface ScoredGroup {
  name: Group;
  /** Indices, ascending. */
  categories: readonly number[];
  /** [C] -Infinity for those of the group, NaN, which no score reaches, for the others. */
  minimums: Float32Array;
}

/** The groups that have categories; `isSeen` [C]. */
export function scoredGroups(isSeen: readonly boolean[]): ScoredGroup[] {
  const members: Record<Group, (seen: boolean) => boolean> = {
    unseen: (seen) => !seen,
    all: () => true,
    seen: (seen) => seen,
  };
  return (Object.keys(members) as Group[])
    .map((name) => ({
      name,
      categories: isSeen.flatMap((seen, c) => (members[name](seen) ? [c] : [])),
      minimums: Float32Array.from(isSeen, (seen) => (members[name](seen) ? -Infinity : NaN)),
    }))
    .filter(({ categories }) => categories.length > 0);
}

/** For each K, how many of the K highest scores of a group are present; equal scores: the lower index first. */
export function topHits(
  scores: Float32Array,
  isPresent: ReadonlySet<number>,
  { minimums }: ScoredGroup,
  topK: readonly number[],
): number[] {
  const top = topScores(scores, Math.max(...topK), minimums);
  return topK.map((k) => {
    let hits = 0;
    for (let i = 0; i < k && i < top.length; i++) if (isPresent.has(top[i]!)) hits++;
    return hits;
  });
}
