import { readFailureRows, readTagRows } from '../parquet/read.ts';
import type { FailureRow, TagRow } from '../parquet/tagRows.ts';
import type { ChainRun } from './chain.ts';
import { partKey } from '../run/layout.ts';
import { mergeNewest } from './mergeNewest.ts';
import { readDeletions } from '../run/plan.ts';
import { rowKeys } from '../run/rowKeys.ts';

/** A row of the current view. */
export type CurrentRow = { key: string } & ({ tagged: TagRow } | { failed: FailureRow });

type Item = CurrentRow | { key: string; deleted: true };

/**
 * What the runs of a chain, oldest first, have come to, as `viewSql` says it: every key once, in UTF-8 byte order.
 * Memory is two parts per run.
 */
export async function* currentRows(chain: readonly ChainRun[]): AsyncGenerator<CurrentRow> {
  const streams = chain.flatMap((run) => [taggedOf(run), failedOf(run), deletedOf(run)]);
  for await (const item of mergeNewest<Item>(streams)) if (!('deleted' in item)) yield item;
}

async function* taggedOf({ output, index }: ChainRun): AsyncGenerator<Item> {
  for (let shard = 0; shard < index.shards; shard++) {
    const part = partKey('tags', shard);
    const { body } = await output.get(part);
    for (const row of await readTagRows(body, output.describeKey(part))) yield { key: row.key, tagged: row };
  }
}

async function* failedOf({ output, index }: ChainRun): AsyncGenerator<Item> {
  for (let shard = 0; shard < index.shards; shard++) {
    const part = partKey('failures', shard);
    const { body } = await output.get(part);
    for (const row of await readFailureRows(body, output.describeKey(part)))
      yield { key: row.key, failed: row };
  }
}

async function* deletedOf({ output, record, index }: ChainRun): AsyncGenerator<Item> {
  const rowKey = rowKeys(record.spec.source);
  for await (const { key } of readDeletions(output, index)) yield { key: rowKey(key), deleted: true };
}
