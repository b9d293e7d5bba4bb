import type * as DuckDb from '@duckdb/node-api';
import { Failure } from '../../data/failure.ts';

/**
 * Calls `use` with a connection to a DuckDB in memory.
 *
 * @throws Failure `Setup.DuckDb` where the optional package is not there
 */
export async function withDuckDb<Result>(
  use: (connection: DuckDb.DuckDBConnection) => Promise<Result>,
): Promise<Result> {
  const { DuckDBInstance } = await duckDbPackage();
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    try {
      await connection.run("SET TimeZone = 'UTC'");
      return await use(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** Loaded where it is used: it is optional (docs/decisions/0010-duckdb-optional.md), and its library is large. */
export async function duckDbPackage(): Promise<typeof DuckDb> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    throw new Failure(
      'Setup.DuckDb',
      'This command needs the package @duckdb/node-api, which is not installed or has no build for this machine.',
      {
        hint: '`npm install @duckdb/node-api` installs it. `c2srt view` prints SQL for a DuckDB elsewhere without it.',
        cause,
      },
    );
  }
}
