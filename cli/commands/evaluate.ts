import type { Command } from 'commander';
import { vocabularyHash } from '../../data/categories.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import { isManifest, requireIndex, snapshotUri } from '../../data/evaluation/evaluationSnapshots.ts';
import { MANIFEST } from '../../data/run/layout.ts';
import { readRunRecord } from '../../data/run/record.ts';
import { readJson } from '../../data/store/json.ts';
import { openStore } from '../../data/store/open.ts';
import type { EvaluateResult } from '../../workflows/evaluate/evaluateTypes.ts';
import { EXIT } from '../exit.ts';
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
import { describeEvaluation, evaluateSummary } from '../run/evaluate/outcome.ts';
import { startRun } from '../run/startRun.ts';

interface EvaluateFlags {
  data: string;
  validation?: string;
  categories: string;
  graph?: string;
  production?: string;
  base?: string;
  out: string;
  json?: boolean;
}

export function evaluateCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('evaluate')
    .description(
      'Evaluate a model on labelled images, beside CLIP without training and the model in production, and fit its calibration.',
    )
    .requiredOption(
      '--data <manifest>',
      'images to test on, with labels: a manifest, or the folder of a snapshot',
    )
    .requiredOption('--categories <file>', 'categories, all scored: text (one per line), JSON or CSV')
    .requiredOption('--out <uri>', "the run's folder: s3://bucket/prefix or a folder")
    .option('--validation <manifest>', 'other images, that the calibration and thresholds are fitted on')
    .option(
      '--graph <file>',
      "category graph of all models, JSON or CSV (default: each model's own, as `tag` does)",
    )
    .option('--production <uri>', 'the model in use, evaluated on the same images')
    .option(
      '--base <uri>',
      'the checkpoint that the baselines run on (default: the one that the model was trained from, where its folder says so, else the model)',
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSection(command, 'evaluate', SECTION_FLAGS.evaluate);
  withSettings(command, ['model', ...TRAINING_SETTINGS, 'stateDir']);
  command.action(async (flags: EvaluateFlags) => finish(await evaluate(flags)));
}

/** The `evaluate` command; returns its exit code. */
export async function evaluate(flags: EvaluateFlags): Promise<number> {
  const json = flags.json ?? false;
  const settings = settingsOf({ ...flags });
  const section = sectionOf('evaluate', { ...flags });
  const inputs = await readInputs(flags);
  const model = await modelUri(settings.model);
  const production = flags.production === undefined ? null : await modelUri(flags.production);
  const base = flags.base === undefined ? await startOf(model) : await modelUri(flags.base);
  const spec = {
    test: snapshotUri(flags.data),
    validation: flags.validation === undefined ? null : snapshotUri(flags.validation),
    vocabulary: vocabularyHash(inputs.categories),
    graph: inputs.graph?.hash ?? null,
    ...{ model, production, base, settings: section },
  };
  return startRun({
    out: flags.out,
    ...{ json, settings, inputs, asked: { kind: 'evaluate', spec } },
    async checkNew() {
      for (const uri of [spec.test, spec.validation]) if (uri !== null) await refuseUnreadable(uri);
    },
    async checkModel() {
      for (const uri of new Set([model, production, base])) if (uri !== null) await prefetchModel(uri, json);
    },
    async reportFinished(run, output) {
      const { result } = (await readJson(output, MANIFEST)) as { result: EvaluateResult };
      const summary = evaluateSummary(run, result, 0);
      console.log(
        json
          ? JSON.stringify(summary)
          : [`Run ${run.id} is finished already.`, ...describeEvaluation(summary)].join('\n'),
      );
      return EXIT.ok;
    },
  });
}

/** What a model was trained from, where it is the folder of a training; else null. */
async function startOf(model: string): Promise<string | null> {
  if (model.startsWith('hub:')) return null;
  const record = await readRunRecord(openStore(model));
  return record?.kind === 'train' ? record.spec.model : null;
}

/** Says now, and not in a worker's retries, that there are no images. */
async function refuseUnreadable(uri: string): Promise<void> {
  if (!isManifest(uri)) await requireIndex({ store: openStore(uri), folder: '' });
  else for await (const _ of readManifest(uri, { kind: 'labels' })) return;
}
