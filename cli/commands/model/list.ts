import type { Command } from 'commander';
import type { Figures } from '../../../data/models/lineage.ts';
import { listVersions } from '../../../data/models/versions.ts';
import { openStore } from '../../../data/store/open.ts';

/** Digits of a version that tell it from others, and that `promote` takes. */
const SHOWN_DIGITS = 12;

interface ListedVersion {
  version: string;
  aliases: string[];
  publishedAt: string | null;
  by: string | null;
  images: number | null;
  figures: Figures;
}

export function listCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('list')
    .description('The published versions of a model, latest first: when, by which run, figures, aliases.')
    .argument('<uri>', 'the folder of all versions')
    .option('--json', 'print a JSON array')
    .action(async (uri: string, flags: { json?: boolean }) => {
      const versions = await listVersions(openStore(uri), openStore);
      const listed = versions.map(({ model, lineage, aliases }): ListedVersion => ({
        version: model,
        aliases,
        publishedAt: lineage?.publishedAt ?? null,
        by: lineage?.by ?? null,
        images: lineage?.training?.snapshot?.images ?? null,
        figures: lineage?.figures ?? {},
      }));
      if (flags.json) console.log(JSON.stringify(listed));
      else if (listed.length === 0) console.log('Nothing is published there.');
      else console.table(listed.map(rowOf));
      finish(0);
    });
}

function rowOf({ version, aliases, figures, ...others }: ListedVersion): Record<string, unknown> {
  return {
    version: version.slice(0, SHOWN_DIGITS),
    aliases: aliases.join(', '),
    ...others,
    ...Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, value.toFixed(2)])),
  };
}
