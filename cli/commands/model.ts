import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseCategories } from '../../data/categories.ts';
import { openStore } from '../../data/store/open.ts';
import { patchCount } from '../../model/clip/config.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { modelHash } from '../../model/resolve.ts';
import { modelUri, prefetchModel } from '../models.ts';

/** What of a folder is a model: configuration, weights, and its card. */
const MODEL_FILE =
  /^(config|preprocessor_config|tokenizer|tokenizer_config|vocab|prompts|categories|graph|calibration|metrics)\.json$|^merges\.txt$|^model.*\.safetensors(\.index\.json)?$|^(MODEL_CARD|README)\.md$|^LICENSE/;

export function modelCommand(program: Command, finish: (code: number) => void): void {
  const command = program.command('model').description('Models: bring one in, look at one.');
  command
    .command('import')
    .description('Copy a model (a CLIP checkpoint folder, or hub:NAME[@REVISION]) to a folder or bucket.')
    .argument('<source>', 'folder, s3:// URI or hub:NAME[@REVISION]')
    .requiredOption('--out <uri>', 'where to put the model')
    .action(async (source: string, flags: { out: string }) => {
      const dir = await prefetchModel(modelUri(source), false);
      const output = openStore(flags.out);
      const files = readdirSync(dir).filter((name) => MODEL_FILE.test(name));
      // config.json last: a folder without it is not a model, so an import that was cut off is not taken for one.
      files.sort((a, b) => Number(a === 'config.json') - Number(b === 'config.json'));
      for (const name of files) await output.put(name, await readFile(join(dir, name)));
      console.log(
        `${files.length} files of ${source} are at ${output.uri}; use it with --model ${output.uri}`,
      );
      finish(0);
    });
  command
    .command('show')
    .description('What a model is: sizes, head, categories it was trained on, hash.')
    .argument('<model>', 'folder, s3:// URI or hub:NAME[@REVISION]')
    .option('--json', 'print JSON')
    .action(async (source: string, flags: { json?: boolean }) => {
      const description = await describeModel(await prefetchModel(modelUri(source), flags.json ?? false));
      if (flags.json) console.log(JSON.stringify(description));
      else
        for (const [name, value] of Object.entries(description))
          console.log(`${name.padEnd(12)} ${String(value)}`);
      finish(0);
    });
}

async function describeModel(dir: string): Promise<Record<string, string | number | null>> {
  const model = openModelFolder(dir);
  const { config, head, tensors } = model;
  const { vision_config: vision, text_config: text, c2srt: settings } = config;
  const parameters = [...tensors.values()]
    .filter(({ type }) => /^B?F/.test(type))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const categories = join(dir, 'categories.json');
  return {
    folder: dir,
    hash: await modelHash(dir),
    image: `${vision.image_size} px, ${patchCount(vision)} patches of ${vision.patch_size} px`,
    vision: `${vision.num_hidden_layers} layers, width ${vision.hidden_size}, ${vision.num_attention_heads} heads`,
    text: `${text.num_hidden_layers} layers, width ${text.hidden_size}, ${text.num_attention_heads} heads, ${text.max_position_embeddings} tokens`,
    joint: config.projection_dim,
    parameters,
    weights: [...new Set([...tensors.values()].map(({ type }) => type))].join(', '),
    head: head
      ? `${settings.form}, ${head.layers} layers, ${head.heads} heads`
      : 'untrained: scores are those of CLIP + ISR',
    isr: `tau ${settings.tau}, alpha ${settings.alpha}, at most ${settings.cap} patches`,
    prompts: model.promptsOf({ name: '{}' }).length,
    seen: existsSync(categories) ? parseCategories(readFileSync(categories), categories).length : null,
    calibrated: existsSync(join(dir, 'calibration.json')) ? 'yes' : 'no',
  };
}
