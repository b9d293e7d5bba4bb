import type { Command } from 'commander';
import { moveAlias } from '../../../data/models/alias.ts';
import { PRODUCTION } from '../../../data/models/modelPlaces.ts';
import { findVersion } from '../../../data/models/versions.ts';
import { openStore } from '../../../data/store/open.ts';

export function promoteCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('promote')
    .description('Have an alias name a version that is published already.')
    .argument('<uri>', 'the folder of all versions')
    .argument('<version>', 'the SHA-256 of the version, or at least its first six digits')
    .option('--alias <name>', 'the alias', PRODUCTION)
    .option('--reason <text>', 'why; kept with the alias', 'promoted by hand')
    .option('--json', 'print JSON')
    .action(
      async (
        uri: string,
        version: string,
        flags: { alias: string; reason: string; json?: boolean },
      ): Promise<void> => {
        const models = openStore(uri);
        const { alias, moved } = await moveAlias(
          models,
          flags.alias,
          {
            model: await findVersion(models, version),
            publishedAt: new Date().toISOString(),
            by: 'promote',
            reason: flags.reason,
          },
          undefined,
        );
        const before = alias.previous === null ? '' : `; before, ${alias.previous}`;
        if (flags.json) console.log(JSON.stringify({ alias, moved }));
        else console.log(`${flags.alias} is ${alias.model} ${moved ? `now${before}` : 'already'}.`);
        finish(0);
      },
    );
}
