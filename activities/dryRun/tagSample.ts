import { randomUUID } from 'node:crypto';
import { readTagRows } from '../../data/parquet/read.ts';
import { addCounts, noCounts, type Counts } from '../../data/run/counts.ts';
import { partKey, PLAN_INDEX, planShardKey } from '../../data/run/layout.ts';
import { encodePlanShard, type PlanEntry, type PlanIndex } from '../../data/run/plan/plan.ts';
import { countsOf } from '../../data/run/receipt.ts';
import { requireTagRun } from '../../data/run/requireRun.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { checkShards } from '../finish.ts';
import { prepareVocabularies } from '../prepare.ts';
import { openRun, type TagDependencies } from '../tag/openRun.ts';
import { tagShard } from '../tag/tagShard.ts';
import { countedStore, type RequestCounts } from './countedStore.ts';

/** What tagging a sample of a run's images has come to. */
export interface SampleResult extends Counts {
  /** Of images whose time was taken, from the first fetch to the checked parts; in seconds. */
  timed: number;
  seconds: number;
  tags: number;
  /** Of the tagged images. */
  sizeBytes: number;
  /** Of the parts. */
  outputBytes: number;
  /** What a shard asks of the run's folder, planning and checking it included. */
  shardRequests: RequestCounts;
}

/** Every so many of the sample's images one is tagged before, untimed: decoders start, and the first run is slow. */
const WARM_UP_SHARE = 8;

/**
 * Tags images as a run's worker does, everything but Temporal included: fetched, decoded, scored, written as parts and
 * checked.
 *
 * @param output a folder of its own, with the run's record and inputs; the plan and the parts are written to it.
 * @param entries at least one
 */
export async function tagSample(
  output: ObjectStore,
  entries: readonly PlanEntry[],
  dependencies: TagDependencies,
  signal: AbortSignal,
): Promise<SampleResult> {
  const { cache, inference, resolveModel } = dependencies;
  const warmUp = Math.floor(entries.length / WARM_UP_SHARE);
  const shards = [entries.slice(0, warmUp), entries.slice(warmUp)];
  await writeShards(output, shards);
  const record = await requireTagRun(output);
  const { dir, hash } = await resolveModel(record.spec.model);
  const artifact = await prepareVocabularies(output, cache, record.spec, {
    model: openModelFolder(dir),
    hash,
    inference,
  });

  const counted = countedStore(output);
  const { context, model, vocabularies } = await openRun(counted.store, artifact, dependencies);
  const tagger = await inference.tagger(artifact, model, vocabularies, { embedding: context.embedding });
  let counts = noCounts();
  let startedMs = 0;
  try {
    for (const shard of shards.keys()) {
      for (const operation of Object.keys(counted.requests)) counted.requests[operation] = 0;
      startedMs = performance.now();
      const options = {
        attempt: randomUUID(),
        attemptNumber: 1,
        closed: [],
        tagger,
        signal,
        progress: () => undefined,
      };
      counts = addCounts(counts, countsOf(await tagShard(context, shard, options)));
      await checkShards(counted.store, shard, shard + 1, () => undefined);
    }
  } finally {
    await tagger.release();
  }
  const seconds = (performance.now() - startedMs) / 1000;

  const result: SampleResult = {
    ...counts,
    timed: entries.length - warmUp,
    seconds,
    tags: 0,
    sizeBytes: 0,
    outputBytes: 0,
    // A shard is planned by a put of its own.
    shardRequests: { ...counted.requests, PutObject: (counted.requests['PutObject'] ?? 0) + 1 },
  };
  for (const shard of shards.keys()) {
    const tagged = (await output.get(partKey('tags', shard))).body;
    const failed = await output.head(partKey('failures', shard));
    result.outputBytes += tagged.length + (failed?.sizeBytes ?? 0);
    for (const { tags, sizeBytes } of await readTagRows(tagged)) {
      result.tags += tags.length;
      result.sizeBytes += sizeBytes ?? 0;
    }
  }
  return result;
}

async function writeShards(output: ObjectStore, shards: readonly (readonly PlanEntry[])[]): Promise<void> {
  const attempt = 'sample';
  for (const [shard, entries] of shards.entries())
    await output.put(planShardKey(attempt, shard), encodePlanShard(entries));
  const index: PlanIndex = {
    shards: shards.length,
    keys: shards.flat().length,
    sizeBytes: 0,
    excluded: 0,
    markers: 0,
    duplicates: 0,
    archived: 0,
    segments: [{ attempt, from: 0, to: shards.length }],
    since: null,
  };
  await output.put(PLAN_INDEX, JSON.stringify(index));
}
