import {
  encodePlanShard,
  type PlanEntry,
  type PlannedShards,
  type PlanSegment,
} from '../../data/run/plan/plan.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** Writes a sequence of entries in shards of a fixed size, into the folder of one planning attempt. */
export class ShardWriter {
  /** What has been written, by earlier attempts too. */
  readonly written: PlannedShards;
  private readonly output: ObjectStore;
  private readonly keyOf: (shard: number) => string;
  private readonly size: number;
  private readonly segment: PlanSegment;
  private entries: PlanEntry[] = [];

  /** Goes on after what `written` says; `keyOf` names a shard in the attempt's folder. */
  constructor(
    output: ObjectStore,
    attempt: string,
    written: PlannedShards,
    keyOf: (attempt: string, shard: number) => string,
    size: number,
  ) {
    this.output = output;
    this.written = structuredClone(written);
    this.keyOf = (shard) => keyOf(attempt, shard);
    this.size = size;
    this.segment = { attempt, from: written.shards, to: written.shards };
  }

  /** Adds an entry; returns whether that completed a shard, which is then written. */
  async add(entry: PlanEntry): Promise<boolean> {
    this.entries.push(entry);
    if (this.entries.length < this.size) return false;
    await this.flush();
    return true;
  }

  /** Writes what is left as a smaller shard. */
  async flush(): Promise<void> {
    if (this.entries.length === 0) return;
    const { written, segment } = this;
    await this.output.put(this.keyOf(written.shards), encodePlanShard(this.entries));
    if (segment.to === segment.from) written.segments.push(segment);
    segment.to = ++written.shards;
    written.keys += this.entries.length;
    this.entries = [];
  }
}
