import { readFile } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Command } from 'commander';
import { Failure, messageOf } from '../../../data/failure.ts';
import { EXIT } from '../../exit.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { duckDbPackage } from '../../query/duckDb.ts';
import { rowOutput, type Format } from '../../query/output.ts';
import { plainValues } from '../../query/plainValue.ts';
import { withTables } from '../../query/runTables.ts';
import { folderOfRun } from '../../run/runReference.ts';

interface QueryFlags {
  file?: string;
  json?: boolean;
  csv?: boolean;
}

export function queryCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('query')
    .description(
      "Ask a finished run by SQL (DuckDB): tables `tags` and `failures`, the run's own rows, and `current`, what it and the runs before it have come to.",
    )
    .argument('<run>', "the run's folder or id, or the folder of a compacted data set")
    .argument('[sql]', 'the query')
    .option('--file <file>', 'read the query from this file')
    .option('--json', 'print a JSON array')
    .option('--csv', 'print CSV');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, sql: string | undefined, flags: QueryFlags) => {
    const text = await queryText(sql, flags.file);
    const format: Format = flags.json ? 'json' : flags.csv ? 'csv' : 'table';
    const output = await folderOfRun(run, settingsOf({ ...flags }));
    const withChain = /\bcurrent\b/i.test(text);
    await withTables(output, { withChain }, (connection) => printQuery(connection, text, format));
    finish(EXIT.ok);
  });
}

async function queryText(sql: string | undefined, file: string | undefined): Promise<string> {
  if ((sql === undefined) === (file === undefined))
    throw new Failure('Usage.Query', 'Give a query, or --file with one.');
  if (file === undefined) return sql!;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure('Usage.File', `--file ${file} cannot be read: ${messageOf(error)}.`, {
      subject: file,
      cause: error,
    });
  }
}

/** Runs all statements, and prints the rows of the last. Throws `Usage.Query` with what DuckDB has to say. */
async function printQuery(connection: DuckDBConnection, sql: string, format: Format): Promise<void> {
  const plain = plainValues(await duckDbPackage());
  try {
    const statements = await connection.extractStatements(sql);
    for (let at = 0; at < statements.count - 1; at++) await (await statements.prepare(at)).run();
    const result = await (await statements.prepare(statements.count - 1)).stream();
    const print = rowOutput(format, result.deduplicatedColumnNames(), (line) => process.stdout.write(line));
    for await (const rows of result.yieldRows()) print.rows(rows.map((row) => row.map(plain)));
    print.end();
  } catch (error) {
    throw new Failure('Usage.Query', messageOf(error), { cause: error });
  }
}
