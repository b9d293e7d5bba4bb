import { readRows } from '../parquet/read.ts';
import type { ChainRun } from './chain.ts';
import { partKey } from '../run/layout.ts';
import { mergeNewest } from './mergeNewest.ts';
import { readDeletions, readPlanShard, type PlanEntry } from '../run/plan.ts';
import { rowKeys } from '../run/rowKeys.ts';

/** What a run made of a key, by the key below the source. */
export interface KeyOutcome {
  key: string;
  entry: PlanEntry;
  /** A failure's code. */
  outcome: 'tagged' | 'deleted' | { code: string };
}

/** What the runs of a chain, oldest first, have come to, a key once and in order. Memory is a shard per run. */
export function currentOutcomes(chain: readonly ChainRun[]): AsyncGenerator<KeyOutcome> {
  return mergeNewest(chain.flatMap((run) => [outcomesOf(run), deletionsOf(run)]));
}

async function* outcomesOf({ output, record, index }: ChainRun): AsyncGenerator<KeyOutcome> {
  const rowKey = rowKeys(record.spec.source);
  for (let shard = 0; shard < index.shards; shard++) {
    const part = partKey('failures', shard);
    const { body } = await output.get(part);
    const rows = await readRows(body, { columns: ['key', 'code'], name: output.describeKey(part) });
    const codes = new Map(rows.map(({ key, code }) => [key as string, code as string]));
    for (const entry of await readPlanShard(output, index, shard)) {
      const code = codes.get(rowKey(entry.key));
      yield { key: entry.key, entry, outcome: code === undefined ? 'tagged' : { code } };
    }
  }
}

async function* deletionsOf({ output, index }: ChainRun): AsyncGenerator<KeyOutcome> {
  for await (const entry of readDeletions(output, index)) yield { key: entry.key, entry, outcome: 'deleted' };
}
