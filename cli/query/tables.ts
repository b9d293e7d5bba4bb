import { readChain } from '../../data/chain/chain.ts';
import { readCompactRecord } from '../../data/chain/compactRecord.ts';
import { Failure } from '../../data/failure.ts';
import type { Layout } from '../../data/parquet/verifyFormat.ts';
import { SUCCESS } from '../../data/run/layout.ts';
import { sourceAccess, type SourceAccess } from '../../data/run/record.ts';
import { rowsSql, viewRunOf, viewSql, type ViewRun } from '../../data/chain/viewSql.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** What commands that query a folder read: a run and the ones before it, oldest first, or a compacted data set. */
export interface QueriedRuns {
  /** How the images are read. */
  access: SourceAccess;
  runs: readonly ViewRun[];
  /** Of a compacted data set; runs have rows. */
  layout: Layout;
}

/**
 * What lies in a folder to be queried.
 *
 * @throws Failure as `readChain`; `Run.Unfinished` for a compacted data set that is not whole
 */
export async function queriedRuns(output: ObjectStore): Promise<QueriedRuns> {
  const compact = await readCompactRecord(output);
  if (!compact) {
    const chain = await readChain(output, openStore);
    return { access: sourceAccess(chain.at(-1)!.record.spec), runs: chain.map(viewRunOf), layout: 'rows' };
  }
  if (!(await output.head(SUCCESS)))
    throw new Failure('Run.Unfinished', `The data set in ${output.uri} is not whole.`, {
      subject: output.uri,
      hint: 'The `c2srt compact` command that started it goes on when it is given again.',
    });
  const run: ViewRun = {
    id: compact.runs.at(-1)!.id,
    uri: output.uri,
    hasParts: true,
    hasDeletions: false,
    isPartitioned: compact.format.partitionBy !== null,
    sources: compact.sources,
    isOfEarlierRelease: false,
  };
  return { access: sourceAccess(compact), runs: [run], layout: compact.format.layout };
}

/**
 * Statements that make the tables of a query: `tags` and `failures`, the last run's own rows, and, for `withChain`,
 * `current`, what all runs have come to.
 */
export function tableStatements(
  runs: readonly ViewRun[],
  withChain: boolean,
  pathOf: (uri: string) => string,
): string[] {
  const last = runs.at(-1)!;
  return [
    `CREATE VIEW tags AS ${rowsSql(last, 'tags', pathOf)}`,
    `CREATE VIEW failures AS ${rowsSql(last, 'failures', pathOf)}`,
    ...(withChain ? [`CREATE VIEW current AS\n${viewSql(runs, pathOf)}`] : []),
  ];
}
