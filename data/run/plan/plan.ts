import { z } from 'zod';
import { Failure } from '../../failure.ts';
import { readJsonIfThere } from '../../store/json.ts';
import type { ObjectStore } from '../../store/store.ts';
import { deletionsKey, listingShardKey, PLAN_INDEX, planShardKey } from '../layout.ts';

/** A planned object: one line of a plan shard. What the source does not tell is null. */
export const planEntrySchema = z.object({
  /** Which of the run's sources, from 0; absent: the first. */
  source: z.int().nonnegative().optional(),
  /** Key below the source's URI. */
  key: z.string(),
  etag: z.string().nullable(),
  sizeBytes: z.int().nonnegative().nullable(),
  lastModifiedMs: z.number().nullable(),
  /** The version to read; absent: the current one. */
  versionId: z.string().optional(),
  /** Known to lie in an archive storage class: a failure without a request. */
  archived: z.literal(true).optional(),
});

export type PlanEntry = z.infer<typeof planEntrySchema>;

/** Which planning attempt wrote shards [from, to): an attempt that took over from a lost one has a folder of its own. */
const segmentSchema = z.object({ attempt: z.string(), from: z.int(), to: z.int() });
export type PlanSegment = z.infer<typeof segmentSchema>;

/** A sequence of numbered shards that planning writes. */
const shardsSchema = z.object({
  shards: z.int().nonnegative(),
  keys: z.int().nonnegative(),
  segments: z.array(segmentSchema),
});
export type PlannedShards = z.infer<typeof shardsSchema>;

const indexSchema = shardsSchema.extend({
  sizeBytes: z.int().nonnegative(),
  /** Objects that globs excluded. */
  excluded: z.int().nonnegative(),
  /** Folder markers: zero bytes under a key that ends in `/`. */
  markers: z.int().nonnegative(),
  /** Rows of a key list or an inventory that named an object again. */
  duplicates: z.int().nonnegative().default(0),
  /** Of the planned keys, those in an archive storage class. */
  archived: z.int().nonnegative().default(0),
  /** In an incremental run or a retry the whole listing and the keys that are gone; null in a full one, whose plan is its listing. */
  since: z.object({ listing: shardsSchema, deleted: shardsSchema }).nullable(),
});

/** The plan of a run, written last: without it there is no plan. */
export type PlanIndex = z.infer<typeof indexSchema>;

/** The committed plan in a run's folder; undefined where planning has not ended. */
export async function readPlanIndex(output: ObjectStore): Promise<PlanIndex | undefined> {
  return indexSchema.optional().parse(await readJsonIfThere(output, PLAN_INDEX));
}

/** All keys that a run's source had when it was planned, in order. Throws `Run.Incomplete` where there is no plan. */
export async function* readListing(output: ObjectStore): AsyncGenerator<PlanEntry> {
  const index = await readPlanIndex(output);
  if (!index) throw new Failure('Run.Incomplete', `${output.uri} has no plan.`, { subject: output.uri });
  const [listing, keyOf] = index.since ? [index.since.listing, listingShardKey] : [index, planShardKey];
  for (const { attempt, from, to } of listing.segments) {
    for (let shard = from; shard < to; shard++) {
      const { body } = await output.get(keyOf(attempt, shard));
      yield* decodePlanShard(Buffer.from(body).toString());
    }
  }
}

/** The keys that an incremental run found gone, in order. */
export async function* readDeletions(output: ObjectStore, index: PlanIndex): AsyncGenerator<PlanEntry> {
  for (let shard = 0; shard < (index.since?.deleted.shards ?? 0); shard++) {
    const { body } = await output.get(deletionsKey(shard));
    yield* decodePlanShard(Buffer.from(body).toString());
  }
}

/** The entries of a shard, in order. Throws `Run.Incomplete` where the plan has no such shard. */
export async function readPlanShard(
  output: ObjectStore,
  index: PlanIndex,
  shard: number,
): Promise<PlanEntry[]> {
  const segment = index.segments.find(({ from, to }) => from <= shard && shard < to);
  if (!segment)
    throw new Failure('Run.Incomplete', `The plan of ${output.uri} has no shard ${shard}.`, {
      subject: output.describeKey(PLAN_INDEX),
    });
  const { body } = await output.get(planShardKey(segment.attempt, shard));
  return decodePlanShard(Buffer.from(body).toString());
}

export const encodePlanShard = (entries: readonly PlanEntry[]): string =>
  entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

export const decodePlanShard = (text: string): PlanEntry[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PlanEntry);
