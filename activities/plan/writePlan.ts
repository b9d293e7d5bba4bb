import { randomUUID } from 'node:crypto';
import { isFailure } from '../../data/failure.ts';
import {
  deletionsKey,
  listingShardKey,
  plannedDeletionsKey,
  PLAN_INDEX,
  planShardKey,
} from '../../data/run/layout.ts';
import { keyFilter } from '../../data/run/keyFilter.ts';
import { readListing, readPlanIndex, type PlanEntry, type PlanIndex } from '../../data/run/plan.ts';
import type { ObjectInfo, ObjectStore } from '../../data/store/store.ts';
import { changesSince, type Change } from './changes.ts';
import { ShardWriter } from './shardWriter.ts';

/** How far an attempt got: heartbeat details, from which the next attempt goes on. */
export interface PlanCursor {
  /** The last key that was dealt with. */
  after: string | undefined;
  /** The plan so far. */
  index: PlanIndex;
}

export interface PlanOptions {
  include: readonly string[];
  exclude: readonly string[];
  shardSize: number;
  /** The folder of the run whose listing this one is compared with; absent: a full run. */
  since?: ObjectStore | undefined;
  /** Set for a retry: what it makes of the listing behind a key, in place of the source's. */
  retry?: ((after: string | undefined) => AsyncIterable<Change>) | undefined;
  /** Where an earlier attempt got to. */
  from?: PlanCursor | undefined;
  /** Told after every shard that was written. */
  report(cursor: PlanCursor): void;
  signal?: AbortSignal;
}

const EMPTY: PlanIndex = {
  shards: 0,
  keys: 0,
  sizeBytes: 0,
  excluded: 0,
  markers: 0,
  segments: [],
  since: null,
};
const NONE = { shards: 0, keys: 0, segments: [] };

/**
 * Writes the plan of a run: the source's keys in UTF-8 byte order, in shards; with `since`, only keys that are new or
 * changed since that run, beside the whole listing and the keys that are gone; with `retry`, only failed keys. Memory is a few shards, whatever the
 * number of keys. The index is put last and only once; an attempt that finds one returns it.
 *
 * Each attempt writes into a folder of its own and the index names the folder of every shard, so a lost attempt that
 * still runs cannot change what a later one has written.
 */
export async function writePlan(
  source: Pick<ObjectStore, 'list'>,
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

async function planKeys(
  source: Pick<ObjectStore, 'list'>,
  output: ObjectStore,
  options: PlanOptions,
): Promise<PlanIndex> {
  const { retry, shardSize, from, signal } = options;
  // Both leave out most of the source, so both keep the whole listing for the next incremental run.
  const since = options.since ?? retry;
  const attempt = randomUUID();
  const start = from?.index ?? { ...EMPTY, since: since ? { listing: NONE, deleted: NONE } : null };
  const counts = { excluded: start.excluded, markers: start.markers, sizeBytes: start.sizeBytes };
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

  const accepts = keyFilter(options.include, options.exclude);
  const after = from?.after;
  const listed = (): AsyncIterable<PlanEntry> =>
    acceptedEntries(
      source.list({ ...(after !== undefined && { startAfter: after }), ...(signal && { signal }) }),
      accepts,
      counts,
    );
  const changes = retry
    ? retry(after)
    : changesSince(options.since && readListing(options.since), listed(), { after, accepts });
  for await (const { kind, entry } of changes) {
    if (since && kind !== 'deleted') await listing.add(entry);
    if (kind === 'deleted') await deleted.add(entry);
    if (kind !== 'changed') continue;
    counts.sizeBytes += entry.sizeBytes ?? 0;
    if (!(await plan.add(entry))) continue;
    // A cursor stands for all three sequences, so they end at the same key.
    await Promise.all([listing.flush(), deleted.flush()]);
    options.report({ after: entry.key, index: soFar() });
  }
  await Promise.all([plan.flush(), listing.flush(), deleted.flush()]);
  return soFar();
}

/** The entries that globs accept; the others are counted. */
async function* acceptedEntries(
  objects: AsyncIterable<ObjectInfo>,
  accepts: (key: string) => boolean,
  counts: { excluded: number; markers: number },
): AsyncGenerator<PlanEntry> {
  for await (const { key, etag, sizeBytes, lastModifiedMs } of objects) {
    // Consoles make folders by putting an empty object under a key that ends in a slash.
    if (key.endsWith('/') && sizeBytes === 0) counts.markers++;
    else if (!accepts(key)) counts.excluded++;
    else yield { key, etag, sizeBytes, lastModifiedMs };
  }
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
