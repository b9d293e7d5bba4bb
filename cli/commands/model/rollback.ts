import type { Command } from 'commander';
import { rollBackAlias } from '../../../data/models/alias.ts';
import { PRODUCTION } from '../../../data/models/modelPlaces.ts';
import { openStore } from '../../../data/store/open.ts';

export function rollbackCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('rollback')
    .description('Have an alias name the model that it named before; again, the one before that.')
    .argument('<uri>', 'the folder of all versions')
    .option('--alias <name>', 'the alias', PRODUCTION)
    .option('--reason <text>', 'why; kept with the alias', 'rolled back by hand')
    .option('--json', 'print JSON')
    .action(async (uri: string, flags: { alias: string; reason: string; json?: boolean }): Promise<void> => {
      const alias = await rollBackAlias(openStore(uri), flags.alias, {
        publishedAt: new Date().toISOString(),
        reason: flags.reason,
      });
      if (flags.json) console.log(JSON.stringify({ alias }));
      else {
        const [{ model: left } = { model: '' }] = alias.history;
        const further =
          alias.previous === null
            ? 'there is nothing before it'
            : `another rollback goes back to ${alias.previous}`;
        console.log(`${flags.alias} is ${alias.model} again, no longer ${left}; ${further}.`);
      }
      finish(0);
    });
}
