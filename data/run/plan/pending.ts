import pMap from 'p-map';
import type { ObjectStore } from '../../store/store.ts';
import { addCounts, noCounts, type Counts } from '../counts.ts';
import { RECEIPTS, shardOfKey } from '../layout.ts';
import { countsOf, readReceipt } from '../receipt.ts';

/** Receipts read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

/** Shards in [from, to) without a receipt, and the counts of those with one. */
export async function findPendingShards(
  output: ObjectStore,
  from: number,
  to: number,
): Promise<{ pending: number[]; done: Counts }> {
  const committed = new Set<number>();
  for await (const { key } of output.list({ prefix: RECEIPTS })) {
    const shard = shardOfKey(key);
    if (shard !== undefined && shard >= from && shard < to) committed.add(shard);
  }
  const receipts = await pMap(committed, (shard) => readReceipt(output, shard), { concurrency: CONCURRENCY });
  const done = receipts
    .filter((receipt) => receipt !== undefined)
    .map(countsOf)
    .reduce(addCounts, noCounts());
  const pending = Array.from({ length: to - from }, (_, i) => from + i).filter(
    (shard) => !committed.has(shard),
  );
  return { pending, done };
}
