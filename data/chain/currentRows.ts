import { readFailureRows, readTagRows } from '../parquet/read.ts';
import type { FailureRow, TagRow } from '../parquet/tagRows.ts';
import type { ChainRun } from './chain.ts';
import { partKey, type PartKind } from '../run/layout.ts';
import { mergeNewest } from './mergeNewest.ts';
import { readDeletions } from '../run/plan/plan.ts';
import { rowNames, type RowName } from '../run/rowNames.ts';

/** A row of the current view. */
export type CurrentRow = RowName & ({ tagged: TagRow } | { failed: FailureRow });

type Item = CurrentRow | (RowName & { deleted: true });

/**
 * What the runs of a chain, oldest first, have come to, as `viewSql` says it: every image once, by source and key, in
 * UTF-8 byte order of both. Memory is two parts per run.
 */
export async function* currentRows(chain: readonly ChainRun[]): AsyncGenerator<CurrentRow> {
  const streams = chain.flatMap((run) => [taggedOf(run), failedOf(run), deletedOf(run)]);
  for await (const item of mergeNewest<Item>(streams)) if (!('deleted' in item)) yield item;
}

async function* taggedOf(run: ChainRun): AsyncGenerator<Item> {
  for await (const row of rowsOf(run, 'tags', readTagRows))
    yield { source: row.source, key: row.key, tagged: row };
}

async function* failedOf(run: ChainRun): AsyncGenerator<Item> {
  for await (const row of rowsOf(run, 'failures', readFailureRows))
    yield { source: row.source, key: row.key, failed: row };
}

async function* rowsOf<Row>(
  { output, record, index }: ChainRun,
  kind: PartKind,
  read: (part: Uint8Array, name: string, source: string) => Promise<Row[]>,
): AsyncGenerator<Row> {
  for (let shard = 0; shard < index.shards; shard++) {
    const part = partKey(kind, shard);
    const { body } = await output.get(part);
    yield* await read(body, output.describeKey(part), record.spec.sources[0]!.uri);
  }
}

async function* deletedOf({ output, record, index }: ChainRun): AsyncGenerator<Item> {
  const nameOf = rowNames(record.spec.sources);
  for await (const entry of readDeletions(output, index)) yield { ...nameOf(entry), deleted: true };
}
