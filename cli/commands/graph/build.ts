import type { Command } from 'commander';
import { vocabularyHash } from '../../../data/categories.ts';
import { Failure } from '../../../data/failure.ts';
import { graphControls } from '../../../data/graph/controlsOfSettings.ts';
import type { GraphSpec } from '../../../data/graph/graphSpec.ts';
import { MANIFEST } from '../../../data/run/layout.ts';
import { requireTrainRun } from '../../../data/run/requireRun.ts';
import { readJson } from '../../../data/store/json.ts';
import { canonicalUri, openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { GraphResult } from '../../../workflows/graph/graphTypes.ts';
import { EXIT } from '../../exit.ts';
import { readInputs } from '../../inputs.ts';
import { modelUri, prefetchModel } from '../../models.ts';
import {
  LLM_CONTROL_SETTINGS,
  LLM_WORKER_SETTINGS,
  SECTION_FLAGS,
  sectionOf,
  settingsOf,
  withSection,
  withSettings,
} from '../../options.ts';
import { describeGraph, graphSummary } from '../../run/graph/outcome.ts';
import type { RunReference } from '../../run/runReference.ts';
import { startRun } from '../../run/startRun.ts';

interface GraphBuildFlags {
  categories: string;
  out: string;
  file?: string;
  extend?: boolean;
  labels?: string;
  json?: boolean;
}

export function graphBuildCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('build')
    .description('Build the graph of a list of categories.')
    .requiredOption('--categories <file>', 'categories: text (one per line), JSON or CSV')
    .requiredOption('--out <uri>', "the run's folder, which gets graph.json: s3://bucket/prefix or a folder")
    .option(
      '--file <file>',
      'graph that a person edited, JSON or CSV, for --provider file [graph.file in the file]',
    )
    .option('--extend', "keep the model's own graph, and link only the categories that it lacks")
    .option(
      '--labels <run>',
      'folder of a training of these categories: --provider wordnet counts what its labels show together',
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSection(command, 'graph', SECTION_FLAGS.graph);
  withSettings(command, [
    ...(['model', 'heartbeatTimeoutS', 'threads', 'deviceId', 'stateDir'] as const),
    'llmCache',
    ...LLM_CONTROL_SETTINGS,
    ...LLM_WORKER_SETTINGS,
  ]);
  command.action(async (flags: GraphBuildFlags) => finish(await buildGraph(flags)));
}

/** The `graph build` command; returns its exit code. */
async function buildGraph(flags: GraphBuildFlags): Promise<number> {
  // --provider here is the graph's; the device's is in the environment or the file.
  const settings = settingsOf({ ...flags, provider: undefined });
  graphControls(settings);
  const section = sectionOf('graph', { ...flags });
  const { provider, file } = section;
  if (flags.labels !== undefined && provider !== 'wordnet')
    throw new Failure('Usage.Flag', `--labels says nothing to --provider ${provider}.`, {
      hint: 'Co-occurrence is counted for --provider wordnet; a language model says it itself.',
    });
  const inputs = await readInputs({
    categories: flags.categories,
    ...(provider === 'file' && { graph: file! }),
  });
  const json = flags.json ?? false;
  const model = provider === 'llm' || flags.extend === true ? await modelUri(settings.model) : null;
  const vocabulary = vocabularyHash(inputs.categories);
  const spec: GraphSpec = {
    vocabulary,
    model,
    extend: flags.extend ?? false,
    graph: inputs.graph?.hash ?? null,
    snapshot: flags.labels === undefined ? null : await snapshotOf(flags.labels, vocabulary),
    cache: settings.llmCache === undefined ? null : canonicalUri(settings.llmCache),
    settings: section,
  };
  return startRun({
    ...{ out: flags.out, json, settings, inputs, asked: { kind: 'graph', spec } },
    async checkModel() {
      if (model !== null) await prefetchModel(model, json);
    },
    reportFinished: (run, output) => reportFinished(run, output, json),
  });
}

/** The folder that has the snapshot of a training, which must be of the same categories. */
async function snapshotOf(uri: string, vocabulary: string): Promise<string> {
  const folder = openStore(uri);
  const { id, kind, spec } = await requireTrainRun(folder);
  if (kind !== 'train' || spec.vocabulary !== vocabulary)
    throw new Failure(
      'Usage.Flag',
      `--labels ${uri} holds ${id}, which was not trained on these categories.`,
      {
        subject: folder.uri,
        hint: 'Give the folder of a `c2srt train` with the same --categories.',
      },
    );
  return spec.snapshot ?? folder.uri;
}

async function reportFinished(run: RunReference, output: ObjectStore, json: boolean): Promise<number> {
  const { result } = (await readJson(output, MANIFEST)) as { result: GraphResult };
  const summary = graphSummary(run, result, 0);
  console.log(
    json
      ? JSON.stringify(summary)
      : [`Run ${run.id} is finished already.`, ...describeGraph(summary)].join('\n'),
  );
  return EXIT.ok;
}
