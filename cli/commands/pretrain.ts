import type { Command } from 'commander';
import type { Section } from '../../data/config/load.ts';
import { manifestUri } from '../../data/dataset/manifest.ts';
import { isFailure } from '../../data/failure.ts';
import { modelUri, prefetchModel } from '../models.ts';
import {
  SECTION_FLAGS,
  sectionOf,
  settingsOf,
  TRAINING_SETTINGS,
  withSection,
  withSettings,
} from '../options.ts';
import { startTraining, type TrainingFlags } from '../train/start.ts';

export function pretrainCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('pretrain')
    .description('Train a whole CLIP, image and text encoder, on images and captions.')
    .requiredOption(
      '--data <manifest>',
      'images and captions: Parquet, CSV or JSONL with `uri` and `captions`',
    )
    .requiredOption(
      '--out <uri>',
      "the run's folder, which becomes the model's: s3://bucket/prefix or a folder",
    )
    .option(
      '--validation <manifest>',
      'images held back (default: a share of --data, pretrain.validationShare)',
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSection(command, 'pretrain', SECTION_FLAGS.pretrain);
  withSettings(command, ['model', ...TRAINING_SETTINGS, 'stateDir']);
  command.action(async (flags: TrainingFlags) => finish(await pretrain(flags)));
}

/** The `pretrain` command, with `recommended` settings where nothing else is asked for; returns its exit code. */
export async function pretrain(
  flags: TrainingFlags & { model?: string },
  recommended: Partial<Section<'pretrain'>> = {},
): Promise<number> {
  const settings = settingsOf({ ...flags });
  const model = await modelUri(settings.model);
  return startTraining({
    flags,
    settings,
    inputs: {},
    asked: {
      kind: 'pretrain',
      spec: {
        data: manifestUri(flags.data),
        validation: flags.validation === undefined ? null : manifestUri(flags.validation),
        model,
        snapshot: null,
        artifacts: null,
        settings: sectionOf('pretrain', { ...flags }, recommended),
      },
    },
    async checkModel(quiet) {
      try {
        await prefetchModel(model, quiet);
      } catch (error) {
        // Without weights a model is trained from random ones.
        if (!isFailure(error, 'Model.NoSafetensors')) throw error;
      }
    },
  });
}
