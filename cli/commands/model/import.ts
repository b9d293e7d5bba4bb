import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isModelFile, MODEL_CONFIG } from '../../../data/models/modelFiles.ts';
import { openStore } from '../../../data/store/open.ts';
import { modelUri, prefetchModel } from '../../models.ts';

export function importCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('import')
    .description('Copy a model (a CLIP checkpoint folder, or hub:NAME[@REVISION]) to a folder or bucket.')
    .argument('<source>', 'folder, s3:// URI or hub:NAME[@REVISION]')
    .requiredOption('--out <uri>', 'where to put the model')
    .action(async (source: string, flags: { out: string }) => {
      const dir = await prefetchModel(await modelUri(source), false);
      const output = openStore(flags.out);
      const files = readdirSync(dir).filter(isModelFile);
      // The configuration last: a folder without it is not a model, so an import that was cut off is not taken for one.
      files.sort((a, b) => Number(a === MODEL_CONFIG) - Number(b === MODEL_CONFIG));
      for (const name of files) await output.put(name, await readFile(join(dir, name)));
      console.log(
        `${files.length} files of ${source} are at ${output.uri}; use it with --model ${output.uri}`,
      );
      finish(0);
    });
}
