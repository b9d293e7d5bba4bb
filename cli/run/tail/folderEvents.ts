import { failedOf } from '../../../data/run/counts.ts';
import { readLastFailures } from '../../../data/run/atWork/lastFailures.ts';
import { MANIFEST, RECEIPTS, shardOfKey, SUCCESS } from '../../../data/run/layout.ts';
import { readPlanIndex } from '../../../data/run/plan/plan.ts';
import { countsOf, readReceipt } from '../../../data/run/receipt.ts';
import { requireRun } from '../../../data/run/requireRun.ts';
import { readJson } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { RunEvent } from './runEvent.ts';

/** What a run's folder tells by itself, where no server knows the run any more: shards, the last failures, the end. */
export async function* folderEvents(output: ObjectStore): AsyncGenerator<RunEvent> {
  const { kind, createdAt } = await requireRun(output);
  yield { at: createdAt, event: 'started' };
  if (kind === 'tag') yield* shardEvents(output);
  const success = await output.head(SUCCESS);
  if (!success) return;
  const { result, counts } = (await readJson(output, MANIFEST)) as { result?: unknown; counts?: unknown };
  yield {
    at: new Date(success.lastModifiedMs).toISOString(),
    event: 'finished',
    result: result ?? counts ?? null,
  };
}

async function* shardEvents(output: ObjectStore): AsyncGenerator<RunEvent> {
  const receipts: { shard: number; ms: number }[] = [];
  for await (const { key, lastModifiedMs } of output.list({ prefix: RECEIPTS })) {
    const shard = shardOfKey(key);
    if (shard !== undefined) receipts.push({ shard, ms: lastModifiedMs });
  }
  receipts.sort((a, b) => a.ms - b.ms || a.shard - b.shard);
  const planned = (await readPlanIndex(output))?.keys ?? null;
  let done = 0;
  let at = '';
  for (const { shard, ms } of receipts) {
    const receipt = await readReceipt(output, shard);
    if (!receipt) continue;
    const counts = countsOf(receipt);
    done += counts.images;
    at = new Date(ms).toISOString();
    const failed = failedOf(counts);
    yield {
      ...{ at, event: 'shards', shards: 1, first: shard, last: shard },
      ...{ images: counts.images, failed, done, planned },
    };
  }
  for (const failed of await readLastFailures(output)) yield { at, event: 'failure', ...failed };
}
