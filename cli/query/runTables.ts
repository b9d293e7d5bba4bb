import type { DuckDBConnection } from '@duckdb/node-api';
import { Failure } from '../../data/failure.ts';
import type { SourceAccess } from '../../data/run/record.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { withDuckDb } from './duckDb.ts';
import { openFolders } from './s3Access.ts';
import { queriedRuns, tableStatements } from './tables.ts';

/**
 * Calls `use` with a DuckDB that has the tables `tags` and `failures` of a run or a compacted data set and, for
 * `withChain`, `current`, for which the runs before it are read too.
 */
export async function withTables<Result>(
  output: ObjectStore,
  { withChain }: { withChain: boolean },
  use: (connection: DuckDBConnection, access: SourceAccess) => Promise<Result>,
): Promise<Result> {
  const { access, runs, layout } = await queriedRuns(output);
  if (withChain && layout === 'long')
    throw new Failure('Usage.Layout', `${output.uri} has a row per tag, so it has no \`current\`.`, {
      subject: output.uri,
      hint: 'Ask its `tags` and `failures`, or the runs that it was made of.',
    });
  return withDuckDb(async (connection) => {
    const uris = (withChain ? runs : runs.slice(-1)).map(({ uri }) => uri);
    const folders = await openFolders(connection, uris, (line) => process.stderr.write(`${line}\n`));
    try {
      for (const statement of tableStatements(runs, withChain, folders.pathOf))
        await connection.run(statement);
      return await use(connection, access);
    } finally {
      await folders.close();
    }
  });
}
