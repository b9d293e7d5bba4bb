/** A question to an endpoint: how a category relates to others, by their indices. */
export interface Call {
  category: number;
  /** Ascending, without the category itself. */
  candidates: number[];
}

/**
 * Which questions must be asked, given what is answered already. An answer covers the pairs of its category and its
 * candidates, in both directions. So that adding some categories asks about these alone:
 *
 * - a category without an answer is asked about with its shortlist, and with up to `size` categories whose shortlists it
 *   is on and that will not ask about it themselves;
 * - one with an answer is asked about again only where more than half of its shortlist is covered neither by its own
 *   answers nor by others', and then about those only.
 *
 * @param shortlists by category; nearest first.
 * @param answered by category, what its answers were asked about.
 * @param size the most candidates of a shortlist.
 * @returns the questions by category, and how many pairs of categories and members of their shortlists stay uncovered.
 */
export function planCalls(
  shortlists: ReadonlyMap<number, readonly number[]>,
  answered: ReadonlyMap<number, ReadonlySet<number>>,
  size: number,
): { calls: Call[]; uncovered: number } {
  const covered = new Map([...answered].map(([category, candidates]) => [category, new Set(candidates)]));
  const isCovered = (a: number, b: number): boolean =>
    (covered.get(a)?.has(b) ?? false) || (covered.get(b)?.has(a) ?? false);
  const calls: Call[] = [];
  const ask = (category: number, candidates: readonly number[]): void => {
    calls.push({ category, candidates: [...candidates].sort((a, b) => a - b) });
    covered.set(category, new Set([...(covered.get(category) ?? []), ...candidates]));
  };

  const backwards = wantedBy(shortlists, answered);
  for (const [category, shortlist] of shortlists) {
    if (answered.has(category) || shortlist.length === 0) continue;
    const others = (backwards.get(category) ?? []).slice(0, size);
    ask(category, [...new Set([...shortlist, ...others])]);
  }
  const openOf = (category: number, shortlist: readonly number[]): number[] =>
    shortlist.filter((other) => !isCovered(category, other));
  for (const [category, shortlist] of shortlists) {
    const open = openOf(category, shortlist);
    if (open.length > shortlist.length / 2) ask(category, open);
  }
  const uncovered = [...shortlists].reduce((sum, [category, list]) => sum + openOf(category, list).length, 0);
  return { calls: calls.sort((a, b) => a.category - b.category), uncovered };
}

/** By unanswered category, the answered ones that have it on their shortlists, nearest first. */
function wantedBy(
  shortlists: ReadonlyMap<number, readonly number[]>,
  answered: ReadonlyMap<number, ReadonlySet<number>>,
): Map<number, number[]> {
  const wanted = new Map<number, { category: number; rank: number }[]>();
  for (const category of answered.keys())
    for (const [rank, other] of (shortlists.get(category) ?? []).entries()) {
      if (answered.has(other)) continue;
      wanted.set(other, [...(wanted.get(other) ?? []), { category, rank }]);
    }
  return new Map(
    [...wanted].map(([other, list]) => [
      other,
      list.sort((a, b) => a.rank - b.rank || a.category - b.category).map(({ category }) => category),
    ]),
  );
}
