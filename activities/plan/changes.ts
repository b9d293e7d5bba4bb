import type { PlanEntry } from '../../data/run/plan.ts';
import { compareEntries, type Position } from '../../data/run/entryOrder.ts';

/** What became of a key between two listings. */
export interface Change {
  /** `changed` covers new keys too. */
  kind: 'changed' | 'unchanged' | 'deleted';
  entry: PlanEntry;
}

/**
 * Merges two listings of the same sources, both in the order of a run, in constant memory: keys that are new or have another etag are
 * `changed`; keys that only the earlier one has are `deleted`. Without an earlier one every key is `changed`.
 * Of the earlier listing only keys behind `after` count, and only those that this run's globs accept: a key that is
 * excluded now is not gone.
 */
export async function* changesSince(
  earlier: AsyncIterable<PlanEntry> | undefined,
  current: AsyncIterable<PlanEntry>,
  { after, accepts }: { after: Position | undefined; accepts: (key: string) => boolean },
): AsyncGenerator<Change> {
  const before = relevant(earlier, after, accepts)[Symbol.asyncIterator]();
  let old = await before.next();
  for await (const entry of current) {
    while (!old.done && compareEntries(old.value, entry) < 0) {
      yield { kind: 'deleted', entry: old.value };
      old = await before.next();
    }
    const known = !old.done && compareEntries(old.value, entry) === 0 ? old.value : undefined;
    yield { kind: known?.etag === entry.etag && known.etag !== null ? 'unchanged' : 'changed', entry };
    if (known) old = await before.next();
  }
  for (; !old.done; old = await before.next()) yield { kind: 'deleted', entry: old.value };
}

async function* relevant(
  earlier: AsyncIterable<PlanEntry> | undefined,
  after: Position | undefined,
  accepts: (key: string) => boolean,
): AsyncGenerator<PlanEntry, undefined> {
  for await (const entry of earlier ?? []) {
    if ((after === undefined || compareEntries(entry, after) > 0) && accepts(entry.key)) yield entry;
  }
  return undefined;
}
