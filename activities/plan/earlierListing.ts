import { readListing, type PlanEntry } from '../../data/run/plan.ts';
import type { TagSpec } from '../../data/run/record.ts';
import { requireTagRun } from '../../data/run/requireRun.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/**
 * What an earlier run listed, with the numbers that its sources have among `sources`, which are all of them and maybe
 * others. Both runs order their sources by URI, so the order stays.
 */
export async function* earlierListing(
  earlier: ObjectStore,
  sources: TagSpec['sources'],
): AsyncGenerator<PlanEntry> {
  const { spec } = await requireTagRun(earlier);
  const numbers = sourceNumbers(spec.sources, sources);
  for await (const entry of readListing(earlier)) yield renumbered(entry, numbers);
}

/** The number among `sources` of each of an earlier run's; -1 for one that is not there. */
export const sourceNumbers = (earlier: TagSpec['sources'], sources: TagSpec['sources']): readonly number[] =>
  earlier.map(({ uri }) => sources.findIndex((source) => source.uri === uri));

/** The entry of an earlier run's plan as one of a run whose sources have other numbers. */
export function renumbered(
  { source: before = 0, ...entry }: PlanEntry,
  numbers: readonly number[],
): PlanEntry {
  const source = numbers[before]!;
  return { ...(source !== 0 && { source }), ...entry };
}
