import { readFailureRows } from '../../parquet/read.ts';
import type { ObjectStore } from '../../store/store.ts';
import { LAST_FAILURES, withFailure, type FailedImage } from './failureSample.ts';
import { partKey, shardOfKey } from '../layout.ts';

/** Parts that are looked into: the newest ones. */
const PARTS_READ = 50;

const FAILURES = 'failures/';

/** The latest failures of shards whose parts are in their place, oldest first; none where the newest shards have none. */
export async function readLastFailures(output: ObjectStore): Promise<FailedImage[]> {
  const parts: { shard: number; ms: number }[] = [];
  for await (const { key, lastModifiedMs } of output.list({ prefix: FAILURES })) {
    const shard = shardOfKey(key);
    if (shard !== undefined) parts.push({ shard, ms: lastModifiedMs });
  }
  parts.sort((a, b) => b.ms - a.ms || b.shard - a.shard);
  let found: FailedImage[] = [];
  for (const { shard } of parts.slice(0, PARTS_READ)) {
    if (found.length >= LAST_FAILURES) break;
    const older = await readFailureRows((await output.get(partKey('failures', shard))).body);
    found = [...older, ...found].reduce<FailedImage[]>(
      (sample, failed) => withFailure(sample, failed, LAST_FAILURES),
      [],
    );
  }
  return found;
}
