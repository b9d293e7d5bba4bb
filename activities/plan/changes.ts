import type { PlanEntry } from '../../data/run/plan/plan.ts';
import { compareEntries, type Position } from '../../data/run/plan/entryOrder.ts';

/** What became of an object between two listings. */
export interface Change {
  /** `changed` covers new objects too. */
  kind: 'changed' | 'unchanged' | 'deleted';
  entry: PlanEntry;
}

/**
 * Merges two listings, both in the order of a run and with the same numbers of sources, in constant memory: objects
 * that are new or have another etag are `changed`; those that only the earlier one has are `deleted`, unless this
 * run's globs do not accept them: what was not looked for is not gone, and stays for the next run to compare with.
 * Without an earlier listing every object is `changed`.
 *
 * @param current only accepted objects.
 * @param after only what lies behind this counts.
 */
export async function* changesSince(
  earlier: AsyncIterable<PlanEntry> | undefined,
  current: AsyncIterable<PlanEntry>,
  { after, accepts }: { after: Position | undefined; accepts: (key: string) => boolean },
): AsyncGenerator<Change> {
  const before = behind(earlier, after)[Symbol.asyncIterator]();
  let old = await before.next();
  const notCurrent = (entry: PlanEntry): Change => ({
    kind: accepts(entry.key) ? 'deleted' : 'unchanged',
    entry,
  });
  for await (const entry of current) {
    while (!old.done && compareEntries(old.value, entry) < 0) {
      yield notCurrent(old.value);
      old = await before.next();
    }
    const known = !old.done && compareEntries(old.value, entry) === 0 ? old.value : undefined;
    yield { kind: known?.etag === entry.etag && known.etag !== null ? 'unchanged' : 'changed', entry };
    if (known) old = await before.next();
  }
  for (; !old.done; old = await before.next()) yield notCurrent(old.value);
}

async function* behind(
  earlier: AsyncIterable<PlanEntry> | undefined,
  after: Position | undefined,
): AsyncGenerator<PlanEntry, undefined> {
  for await (const entry of earlier ?? [])
    if (after === undefined || compareEntries(entry, after) > 0) yield entry;
  return undefined;
}
