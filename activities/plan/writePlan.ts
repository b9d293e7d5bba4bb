import { randomUUID } from 'node:crypto';
import { isFailure } from '../../data/failure.ts';
import {
  deletionsKey,
  listingShardKey,
  plannedDeletionsKey,
  PLAN_INDEX,
  planShardKey,
} from '../../data/run/layout.ts';
import { readPlanIndex, type PlanIndex } from '../../data/run/plan/plan.ts';
import { positionOf, type Position } from '../../data/run/plan/entryOrder.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Listing } from './listing.ts';
import { plannedChanges, type PlannedObjects } from './plannedChanges.ts';
import { ShardWriter } from './shardWriter.ts';

/** How far an attempt got: heartbeat details, from which the next attempt goes on. */
export interface PlanCursor {
  /** The last object that was dealt with. */
  position: Position;
  /** The plan so far. */
  index: PlanIndex;
}

export interface PlanOptions extends PlannedObjects {
  shardSize: number;
  /** Where an earlier attempt got to. */
  from?: PlanCursor | undefined;
  /** Told after every shard that was written. */
  report(cursor: PlanCursor): void;
}

const EMPTY: PlanIndex = {
  shards: 0,
  keys: 0,
  sizeBytes: 0,
  excluded: 0,
  markers: 0,
  duplicates: 0,
  archived: 0,
  segments: [],
  since: null,
};
const NONE = { shards: 0, keys: 0, segments: [] };

/**
 * Writes the plan of a run: the sources' objects in the order of source and UTF-8 bytes of the key, in shards; with
 * `since`, only those that are new or changed since that listing, beside the whole listing and those that are gone; with
 * `retry`, only failed ones. Memory is a few shards, whatever the number of keys. The index is put last and only once;
 * an attempt that finds one returns it.
 *
 * Each attempt writes into a folder of its own and the index names the folder of every shard, so a lost attempt that
 * still runs cannot change what a later one has written.
 */
export async function writePlan(
  source: Listing,
  output: ObjectStore,
  options: PlanOptions,
): Promise<PlanIndex> {
  const index =
    (await readPlanIndex(output)) ?? (await commitIndex(output, await planKeys(source, output, options)));
  // Whoever finds a committed plan copies its deletions: the same bytes each time.
  for (const { attempt, from, to } of index.since?.deleted.segments ?? []) {
    for (let shard = from; shard < to; shard++)
      await output.copy(plannedDeletionsKey(attempt, shard), deletionsKey(shard));
  }
  return index;
}

async function planKeys(source: Listing, output: ObjectStore, options: PlanOptions): Promise<PlanIndex> {
  const { retry, shardSize, from } = options;
  // Both leave out most of the source, so both keep the whole listing for the next incremental run.
  const since = options.since ?? retry;
  const attempt = randomUUID();
  const start = from?.index ?? { ...EMPTY, since: since ? { listing: NONE, deleted: NONE } : null };
  const { excluded, markers, duplicates, archived, sizeBytes } = start;
  const counts = { excluded, markers, duplicates, archived, sizeBytes };
  const plan = new ShardWriter(output, attempt, start, planShardKey, shardSize);
  const listing = new ShardWriter(output, attempt, start.since?.listing ?? NONE, listingShardKey, shardSize);
  const deleted = new ShardWriter(
    output,
    attempt,
    start.since?.deleted ?? NONE,
    plannedDeletionsKey,
    shardSize,
  );
  const soFar = (): PlanIndex =>
    structuredClone({
      ...plan.written,
      ...counts,
      since: since ? { listing: listing.written, deleted: deleted.written } : null,
    });

  const changes = plannedChanges(source, options, { after: from?.position, counts });
  for await (const { kind, entry } of changes) {
    if (since && kind !== 'deleted') await listing.add(entry);
    if (kind === 'deleted') await deleted.add(entry);
    if (kind !== 'changed') continue;
    counts.sizeBytes += entry.sizeBytes ?? 0;
    if (entry.archived) counts.archived++;
    if (!(await plan.add(entry))) continue;
    // A cursor stands for all three sequences, so they end at the same key.
    await Promise.all([listing.flush(), deleted.flush()]);
    options.report({ position: positionOf(entry), index: soFar() });
  }
  await Promise.all([plan.flush(), listing.flush(), deleted.flush()]);
  return soFar();
}

async function commitIndex(output: ObjectStore, index: PlanIndex): Promise<PlanIndex> {
  try {
    await output.put(PLAN_INDEX, JSON.stringify(index), {
      ifNoneMatch: '*',
      contentType: 'application/json',
    });
    return index;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    return (await readPlanIndex(output)) ?? index;
  }
}
