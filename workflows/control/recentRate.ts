/** How much was done by when. */
export interface Mark {
  /** ms since 1970. */
  ms: number;
  images: number;
}

/** A rate is of the last so many ms, or of longer where fewer than so many marks are in there. */
const WINDOW_MS = 5 * 60_000;
const FEWEST_MARKS = 8;

/** Marks closer to one another than this are one. */
const APART_MS = WINDOW_MS / 32;

/**
 * `marks` with a newer one, without those that the recent rate does not need: the first is where it counts from. At most
 * about forty, however often something is done.
 */
export function withMark(marks: readonly Mark[], mark: Mark): Mark[] {
  const before = marks.at(-2);
  const isClose = before !== undefined && marks.at(-1)!.ms - before.ms < APART_MS;
  const all = [...(isClose ? marks.slice(0, -1) : marks), mark];
  const isOld = (at: number): boolean => all.length - at > FEWEST_MARKS && mark.ms - all[at]!.ms >= WINDOW_MS;
  let first = 0;
  while (isOld(first + 1)) first++;
  return all.slice(first);
}
