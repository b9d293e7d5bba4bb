import { Failure } from '../../data/failure.ts';
import type { PartMetadata, Tag } from '../../data/parquet/tagRows.ts';
import { readPlanIndex, readPlanShard, type PlanEntry } from '../../data/run/plan/plan.ts';
import type { TagRecord } from '../../data/run/record.ts';
import type { RowName } from '../../data/run/rowNames.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Decoder } from './dependencies.ts';
import type { Turn } from './turn.ts';

/** A run as its shards are worked on: opened once per worker and run, shared by its shards. */
export interface RunContext {
  output: ObjectStore;
  /** In the order of the record. */
  sources: readonly ObjectStore[];
  record: TagRecord;
  decoder: Decoder;
  /** Decoded pixels are [S, S, 3]. */
  imageSide: number;
  /** The tags of an image from its scores, [asked], of all vocabularies. */
  decide(scores: Float32Array): Tag[];
  /** Images of a shard being fetched or decoded at once. */
  concurrency: number;
  /** Which of the worker's shards may start images. */
  turn: Turn;
  embedding: boolean;
  metadata: PartMetadata;
  fingerprint: Readonly<Record<string, string>>;
  /** What names a planned object in rows. */
  rowName(entry: PlanEntry): RowName;
  planShard(shard: number): Promise<PlanEntry[]>;
}

/** Reads plan shards of a run; the index is read once. */
export function planReader(output: ObjectStore): (shard: number) => Promise<PlanEntry[]> {
  let index: ReturnType<typeof readPlanIndex> | undefined;
  return async (shard) => {
    const found = await (index ??= readPlanIndex(output));
    if (!found)
      throw new Failure('Run.Incomplete', `${output.uri} has no plan yet.`, { subject: output.uri });
    return readPlanShard(output, found, shard);
  };
}
