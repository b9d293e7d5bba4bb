import { randomUUID } from 'node:crypto';
import { isFailure } from '../data/failure.ts';
import { PLAN_INDEX, planShardKey } from '../data/run/layout.ts';
import { keyFilter } from '../data/run/keyFilter.ts';
import {
  encodePlanShard,
  readPlanIndex,
  type PlanEntry,
  type PlanIndex,
  type PlanSegment,
} from '../data/run/plan.ts';
import type { ObjectInfo, ObjectStore } from '../data/store/store.ts';

/** How far an attempt got: heartbeat details, from which the next attempt goes on. */
export interface PlanCursor {
  /** Last key of the last whole shard that was written. */
  after: string | undefined;
  /** The plan so far. */
  index: PlanIndex;
}

export interface PlanOptions {
  include: readonly string[];
  exclude: readonly string[];
  shardSize: number;
  /** Where an earlier attempt got to. */
  from?: PlanCursor | undefined;
  /** Told after every shard that was written. */
  report(cursor: PlanCursor): void;
  signal?: AbortSignal;
}

/**
 * Writes the plan of a run: the source's keys in UTF-8 byte order, in shards. Memory is one shard, whatever the number
 * of keys. The index is put last and only once; an attempt that finds one returns it.
 *
 * Each attempt writes into a folder of its own and the index names the folder of every shard, so a lost attempt that
 * still runs cannot change what a later one has written.
 */
export async function writePlan(
  source: Pick<ObjectStore, 'list'>,
  output: ObjectStore,
  options: PlanOptions,
): Promise<PlanIndex> {
  const committed = await readPlanIndex(output);
  if (committed) return committed;

  const attempt = randomUUID();
  const accepts = keyFilter(options.include, options.exclude);
  const index: PlanIndex = structuredClone(options.from?.index) ?? {
    shards: 0,
    keys: 0,
    sizeBytes: 0,
    excluded: 0,
    markers: 0,
    segments: [],
  };
  const segment: PlanSegment = { attempt, from: index.shards, to: index.shards };
  let entries: PlanEntry[] = [];

  const writeShard = async (): Promise<void> => {
    await output.put(planShardKey(attempt, index.shards), encodePlanShard(entries));
    if (segment.to === segment.from) index.segments.push(segment);
    segment.to = ++index.shards;
    index.keys += entries.length;
    index.sizeBytes += entries.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
    options.report({ after: entries.at(-1)!.key, index: structuredClone(index) });
    entries = [];
  };

  const after = options.from?.after;
  for await (const object of source.list({
    ...(after !== undefined && { startAfter: after }),
    ...(options.signal && { signal: options.signal }),
  })) {
    if (isMarker(object)) index.markers++;
    else if (!accepts(object.key)) index.excluded++;
    else
      entries.push({
        key: object.key,
        etag: object.etag,
        sizeBytes: object.sizeBytes,
        lastModifiedMs: object.lastModifiedMs,
      });
    if (entries.length === options.shardSize) await writeShard();
  }
  if (entries.length > 0) await writeShard();
  return commitIndex(output, index);
}

/** Consoles make folders by putting an empty object under a key that ends in a slash. */
const isMarker = ({ key, sizeBytes }: ObjectInfo): boolean => key.endsWith('/') && sizeBytes === 0;

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
