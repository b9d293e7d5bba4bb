import type { Command } from 'commander';
import { vocabularyHash } from '../../data/categories.ts';
import { manifestUri } from '../../data/dataset/manifest.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { readInputs } from '../inputs.ts';
import { modelUri, prefetchModel } from '../models.ts';
import {
  SECTION_FLAGS,
  sectionOf,
  settingsOf,
  TRAINING_SETTINGS,
  withSection,
  withSettings,
} from '../options.ts';
import { refuseUntrainable } from '../train/checkHead.ts';
import { startTraining, type TrainingFlags } from '../train/start.ts';

interface TrainFlags extends TrainingFlags {
  categories: string;
  graph?: string;
}

export function trainCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('train')
    .description('Train a model on labelled images: the head, and the last blocks of the image encoder.')
    .requiredOption('--data <manifest>', 'images and labels: Parquet, CSV or JSONL with `uri` and `labels`')
    .requiredOption('--categories <file>', 'categories: text (one per line), JSON or CSV')
    .requiredOption(
      '--out <uri>',
      "the run's folder, which becomes the model's: s3://bucket/prefix or a folder",
    )
    .option('--validation <manifest>', 'images held back (default: a share of --data, train.validationShare)')
    .option(
      '--graph <file>',
      "category graph, JSON or CSV (default: the model's own, else links from WordNet)",
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSection(command, 'train', SECTION_FLAGS.train);
  withSettings(command, ['model', ...TRAINING_SETTINGS, 'stateDir']);
  command.action(async (flags: TrainFlags) => finish(await train(flags)));
}

/** The `train` command; returns its exit code. */
export async function train(flags: TrainFlags): Promise<number> {
  const settings = settingsOf({ ...flags });
  const section = sectionOf('train', { ...flags });
  const inputs = await readInputs(flags);
  const model = await modelUri(settings.model);
  return startTraining({
    flags,
    settings,
    inputs,
    asked: {
      kind: 'train',
      spec: {
        data: manifestUri(flags.data),
        validation: flags.validation === undefined ? null : manifestUri(flags.validation),
        vocabulary: vocabularyHash(inputs.categories),
        graph: inputs.graph?.hash ?? null,
        model,
        snapshot: null,
        artifacts: null,
        settings: section,
      },
    },
    async checkModel(quiet) {
      refuseUntrainable(openModelFolder(await prefetchModel(model, quiet)), model, section);
    },
  });
}
