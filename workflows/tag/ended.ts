import { addCounts, noCounts } from '../../data/run/counts.ts';
import { LAST_FAILURES, withFailure } from '../../data/run/atWork/failureSample.ts';
import { addTimes, noTimes } from '../../data/run/atWork/phases.ts';
import type { ShardResult, ShardsReport } from './tagTypes.ts';

/** Shards that have ended since the last report. */
export type EndedShards = Pick<ShardsReport, 'shards' | 'first' | 'last' | 'done'>;

export const noShards = (): EndedShards => ({
  shards: 0,
  first: 0,
  last: 0,
  done: { ...noCounts(), phasesMs: noTimes(), failures: [] },
});

export const withShard = (
  { shards, first, last, done }: EndedShards,
  shard: number,
  result: ShardResult,
): EndedShards => ({
  shards: shards + 1,
  first: shards === 0 ? shard : Math.min(first, shard),
  last: Math.max(last, shard),
  done: addResults(done, result),
});

/** The sum of two results, with the latest failures of both. */
export const addResults = (a: ShardResult, b: ShardResult): ShardResult => ({
  ...addCounts(a, b),
  phasesMs: addTimes(a.phasesMs, b.phasesMs),
  failures: b.failures.reduce((sample, failed) => withFailure(sample, failed, LAST_FAILURES), a.failures),
});
