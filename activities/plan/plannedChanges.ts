import type { Listed } from '../../data/listing/sortEntries.ts';
import type { Position } from '../../data/run/plan/entryOrder.ts';
import { keyFilter } from '../../data/run/plan/keyFilter.ts';
import type { PlanEntry, PlanIndex } from '../../data/run/plan/plan.ts';
import { changesSince, type Change } from './changes.ts';
import type { Listing } from './listing.ts';

/** What of its sources a run is of. */
export interface PlannedObjects {
  include: readonly string[];
  exclude: readonly string[];
  /** The listing that this run's is compared with, by the same numbers of sources; absent: a full run. */
  since?: AsyncIterable<PlanEntry> | undefined;
  /** Set for a retry: what it makes of the listing behind a position, in place of the sources'. */
  retry?: ((after: Position | undefined) => AsyncIterable<Change>) | undefined;
  signal?: AbortSignal | undefined;
}

/** What of a listing is no part of a plan. */
export type LeftOut = Pick<PlanIndex, 'excluded' | 'markers' | 'duplicates'>;

/**
 * What a run makes of its sources' objects, in order: `changed` are those to be tagged. What its globs and the listing
 * leave out is added to `counts`.
 *
 * @param after only objects behind this one.
 */
export function plannedChanges(
  source: Listing,
  { include, exclude, since, retry, signal }: PlannedObjects,
  { after, counts }: { after: Position | undefined; counts: LeftOut },
): AsyncIterable<Change> {
  if (retry) return retry(after);
  const accepts = keyFilter(include, exclude);
  const listed = acceptedEntries(source.entries(after, signal), accepts, counts);
  return changesSince(since, listed, { after, accepts });
}

/** The entries that globs accept; the others are counted. */
async function* acceptedEntries(
  objects: AsyncIterable<Listed>,
  accepts: (key: string) => boolean,
  counts: LeftOut,
): AsyncGenerator<PlanEntry> {
  for await (const { entry, duplicates } of objects) {
    counts.duplicates += duplicates;
    // Consoles make folders by putting an empty object under a key that ends in a slash.
    if (entry.key.endsWith('/') && entry.sizeBytes === 0) counts.markers++;
    else if (!accepts(entry.key)) counts.excluded++;
    else yield entry;
  }
}
