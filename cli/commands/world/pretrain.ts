import type { Command } from 'commander';
import type { Section } from '../../../data/config/load.ts';
import { openStore } from '../../../data/store/open.ts';
import { putBlankModel } from '../../../data/world/blankModel.ts';
import { makeWorld } from '../../../data/world/makeWorld.ts';
import type { WorldRequest } from '../../../data/world/worldSpec.ts';
import { SECTION_FLAGS, TRAINING_SETTINGS, withSection, withSettings } from '../../options.ts';
import { wholeNumber } from '../../wholeNumber.ts';
import { pretrain } from '../pretrain.ts';

interface WorldPretrainFlags {
  out: string;
  scenes: string;
  heldBack: string;
  seed?: string;
  json?: boolean;
}

/** What the bundled model was trained with; the rest is as `pretrain` has it. */
const RECOMMENDED: Partial<Section<'pretrain'>> = {
  epochs: 24,
  warmupSteps: 500,
  localSteps: 500,
  precision: 'float16',
};

export function worldPretrainCommand(world: Command, finish: (code: number) => void): void {
  const command = world
    .command('pretrain')
    .description(
      'Draw web scenes and train a small CLIP on them from random weights. The same command goes on with what is there.',
    )
    .requiredOption('--out <uri>', 'gets `train`, `held-back`, `blank`, and the model, `clip`')
    .option('--scenes <count>', 'scenes to train on', '60000')
    .option('--held-back <count>', "scenes in another artist's style, for the loss curve", '1000')
    .option('--json', 'print one JSON object at the end, nothing else');
  withSection(command, 'pretrain', SECTION_FLAGS.pretrain);
  withSettings(command, TRAINING_SETTINGS);
  command.action(async (flags: WorldPretrainFlags) => finish(await worldPretrain(flags)));
}

async function worldPretrain(flags: WorldPretrainFlags): Promise<number> {
  const scenes = wholeNumber('--scenes', flags.scenes);
  const heldBack = wholeNumber('--held-back', flags.heldBack);
  const seed = wholeNumber('--seed', flags.seed ?? '0', 0);
  const place = (name: string): string => `${flags.out.replace(/\/+$/, '')}/${name}`;

  const draw = async (name: string, asked: Pick<WorldRequest, 'split' | 'count'>): Promise<void> => {
    await makeWorld(openStore(place(name)), { domain: 'web', seed, ...asked }, (made) => {
      if (!flags.json) console.error(`${name}: ${made.toLocaleString('en')} scenes ...`);
    });
  };
  await draw('train', { split: 'train', count: scenes });
  await draw('held-back', { split: 'val', count: heldBack });
  await putBlankModel(openStore(place('blank')));
  return pretrain(
    {
      ...flags,
      data: place('train/manifest.jsonl'),
      validation: place('held-back/manifest.jsonl'),
      model: place('blank'),
      out: place('clip'),
    },
    RECOMMENDED,
  );
}
