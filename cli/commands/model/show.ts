import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseCategories } from '../../../data/categories.ts';
import { patchCount } from '../../../model/clip/config.ts';
import { openModelFolder } from '../../../model/modelFolder.ts';
import { modelHash } from '../../../model/resolve.ts';
import { modelUri, prefetchModel } from '../../models.ts';

export function showCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('show')
    .description('What a model is: sizes, head, categories it was trained on, hash.')
    .argument('<model>', 'folder, s3:// URI or hub:NAME[@REVISION]')
    .option('--json', 'print JSON')
    .action(async (source: string, flags: { json?: boolean }) => {
      const dir = await prefetchModel(await modelUri(source), flags.json ?? false);
      const description = await describeModel(dir);
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
