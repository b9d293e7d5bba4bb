/** At most this many suggestions, or they are no help. */
const MOST = 3;

/** Of `names`, those that `written` is probably meant to be: equal but for case, or a few typing errors away. */
export function nearNames(written: string, names: Iterable<string>): string[] {
  const folded = written.toLowerCase();
  const limit = Math.max(1, Math.floor(written.length / 4));
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    if (Math.abs(name.length - written.length) > limit) continue;
    const distance = editDistance(folded, name.toLowerCase());
    if (distance <= limit) near.push({ name, distance });
  }
  return near
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST)
    .map(({ name }) => name);
}

/** Insertions, deletions, substitutions and swaps of neighbours, in UTF-16 units, that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  let beforeThat: number[] = [];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = before[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? beforeThat[j - 2]! + 1 : Infinity;
      row.push(Math.min(substitution, before[j]! + 1, row[j - 1]! + 1, swap));
    }
    beforeThat = before;
    before = row;
  }
  return before[b.length]!;
}
