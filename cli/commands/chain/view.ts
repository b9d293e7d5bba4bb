import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import { readChains } from '../../../data/chain/chain.ts';
import { viewRunOf, viewSql } from '../../../data/chain/viewSql.ts';
import { openStore } from '../../../data/store/open.ts';
import { EXIT } from '../../exit.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { folderOfRun } from '../../run/runReference.ts';

export function viewCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('view')
    .description(
      'Print the SQL (DuckDB) of what a run and the runs before it have come to: every image once, deleted ones gone.',
    )
    .argument(
      '<run...>',
      'the last run of a chain (its folder or id); of several, later ones go before earlier ones',
    )
    .option('--create <name>', 'make it a statement that creates a view of this name')
    .option('--out <file>', 'write it to this file instead');
  withSettings(command, ['stateDir']);
  command.action(async (runs: string[], flags: { create?: string; out?: string }) => {
    const settings = settingsOf({ ...flags });
    const outputs = [];
    for (const run of runs) outputs.push(await folderOfRun(run, settings));
    const select = viewSql((await readChains(outputs, openStore)).map(viewRunOf));
    const sql =
      flags.create === undefined ? select : `CREATE OR REPLACE VIEW ${nameOf(flags.create)} AS\n${select};`;
    if (flags.out === undefined) console.log(sql);
    else await writeFile(flags.out, `${sql}\n`);
    finish(EXIT.ok);
  });
}

function nameOf(name: string): string {
  if (/^\w+$/.test(name)) return `"${name}"`;
  throw new Failure(
    'Usage.Flag',
    `--create is ${JSON.stringify(name)}: expected letters, digits and underscores.`,
  );
}
