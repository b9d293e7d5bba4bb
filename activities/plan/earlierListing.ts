import { Failure } from '../../data/failure.ts';
import { readListing, type PlanEntry } from '../../data/run/plan/plan.ts';
import type { TagSpec } from '../../data/run/record.ts';
import { requireTagRun } from '../../data/run/requireRun.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/**
 * What an earlier run listed, with the numbers that its sources have among `sources`, which are all of them and maybe
 * others. Both runs order their sources by URI, so the order stays.
 *
 * @throws Failure `Run.Different` where a source of the earlier run is missing: of it could not be said what is gone.
 */
export async function* earlierListing(
  earlier: ObjectStore,
  sources: TagSpec['sources'],
): AsyncGenerator<PlanEntry> {
  const { spec } = await requireTagRun(earlier);
  const numbers = sourceNumbers(spec.sources, sources);
  for await (const entry of readListing(earlier)) yield renumbered(entry, numbers);
}

/** The number among `sources` of each of an earlier run's. Throws `Run.Different` for one that is not among them. */
export const sourceNumbers = (earlier: TagSpec['sources'], sources: TagSpec['sources']): readonly number[] =>
  earlier.map(({ uri }) => {
    const number = sources.findIndex((source) => source.uri === uri);
    if (number >= 0) return number;
    throw new Failure('Run.Different', `The earlier run is of ${uri} too, which is no source of this one.`, {
      subject: uri,
      hint: 'Name all sources of the earlier run, and new ones beside them.',
    });
  });

/** The entry of an earlier run's plan as one of a run whose sources have other numbers. */
export function renumbered(
  { source: before = 0, ...entry }: PlanEntry,
  numbers: readonly number[],
): PlanEntry {
  const source = numbers[before]!;
  return { ...(source !== 0 && { source }), ...entry };
}
