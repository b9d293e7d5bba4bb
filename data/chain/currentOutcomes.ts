import { readFailureRows } from '../parquet/read.ts';
import type { ChainRun } from './chain.ts';
import { partKey } from '../run/layout.ts';
import { mergeNewest } from './mergeNewest.ts';
import { readDeletions, readPlanShard, type PlanEntry } from '../run/plan/plan.ts';
import { rowNames, type RowName } from '../run/rowNames.ts';

/** What a run made of an object. */
export interface ObjectOutcome extends RowName {
  run: ChainRun;
  /** By the run's own numbers of sources. */
  entry: PlanEntry;
  /** A failure's code. */
  outcome: 'tagged' | 'deleted' | { code: string };
}

/** What the runs of a chain, oldest first, have come to, an object once and in order. Memory is a shard per run. */
export function currentOutcomes(chain: readonly ChainRun[]): AsyncGenerator<ObjectOutcome> {
  return mergeNewest(chain.flatMap((run) => [outcomesOf(run), deletionsOf(run)]));
}

async function* outcomesOf(run: ChainRun): AsyncGenerator<ObjectOutcome> {
  const { output, record, index } = run;
  const { sources } = record.spec;
  const nameOf = rowNames(sources);
  const idOf = ({ source, key }: RowName): string => `${source}\0${key}`;
  for (let shard = 0; shard < index.shards; shard++) {
    const part = partKey('failures', shard);
    const { body } = await output.get(part);
    const rows = await readFailureRows(body, output.describeKey(part), sources[0]!.uri);
    const codes = new Map(rows.map((row) => [idOf(row), row.code]));
    for (const entry of await readPlanShard(output, index, shard)) {
      const name = nameOf(entry);
      const code = codes.get(idOf(name));
      yield { ...name, run, entry, outcome: code === undefined ? 'tagged' : { code } };
    }
  }
}

async function* deletionsOf(run: ChainRun): AsyncGenerator<ObjectOutcome> {
  const nameOf = rowNames(run.record.spec.sources);
  for await (const entry of readDeletions(run.output, run.index))
    yield { ...nameOf(entry), run, entry, outcome: 'deleted' };
}
