import type { Command } from 'commander';
import { Option } from 'commander';
import { claimPipelineRun, writePipeline } from '../../data/retrain/pipeline.ts';
import { STAGES, type Stage } from '../../data/retrain/stages.ts';
import { openStore } from '../../data/store/open.ts';
import { temporalConnection } from '../../infra/temporalConnection.ts';
import { prefetchModel } from '../models.ts';
import {
  CONTROL_SETTINGS,
  LLM_CONTROL_SETTINGS,
  LLM_WORKER_SETTINGS,
  sectionOf,
  settingsOf,
  WORKER_SETTINGS,
  withSettings,
} from '../options.ts';
import { retrainControls } from '../retrain/controls.ts';
import { dryRun } from '../retrain/dryRun.ts';
import { pipelineOf } from '../retrain/pipelineOf.ts';
import { launch } from '../run/launch.ts';
import { refuseUntrainable } from '../train/checkHead.ts';
import { openModelFolder } from '../../model/modelFolder.ts';

interface RetrainFlags {
  dryRun?: boolean;
  from?: Stage;
  json?: boolean;
  config?: string;
}

/** Stages that make something: the others are done in every run. */
const MAKING = STAGES.slice(0, STAGES.indexOf('gate'));

export function retrainCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('retrain')
    .description(
      'Retrain a model: snapshot, features, graph, train, evaluate, gate, publish, tag, as the `retrain` section of the configuration file says. What is there already is used again.',
    )
    .option('--dry-run', 'say which stages would run and what they would take; nothing is made')
    .addOption(
      new Option('--from <stage>', 'take nothing that is there from this stage on, and do it again').choices(
        MAKING,
      ),
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSettings(command, [
    'model',
    ...CONTROL_SETTINGS,
    ...WORKER_SETTINGS,
    ...LLM_CONTROL_SETTINGS,
    ...LLM_WORKER_SETTINGS,
    'stateDir',
  ]);
  command.action(async (flags: RetrainFlags) => finish(await retrain(flags)));
}

/** The `retrain` command; returns its exit code. */
export async function retrain(flags: RetrainFlags): Promise<number> {
  const settings = settingsOf({ ...flags });
  const json = flags.json ?? false;
  // Refuses what cannot be kept, as a ceiling without prices, before there is a folder or an estimate.
  retrainControls(settings);
  const { spec, inputs } = await pipelineOf({ ...flags }, settings);
  const from = flags.from ?? null;
  if (flags.dryRun) {
    const { gpuHourUsd } = sectionOf('retrain', { ...flags });
    return dryRun({ spec, inputs, from, settings, gpuHourUsd, json });
  }
  if (!(await temporalConnection(process.env)))
    refuseUntrainable(
      openModelFolder(await prefetchModel(spec.model, json)),
      spec.model,
      spec.settings.train,
    );
  const pipeline = await writePipeline(spec, inputs, openStore);
  const name = `${spec.name}-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  const { output, id } = await claimPipelineRun(pipeline, name, { from }, openStore);
  if (!json) process.stderr.write(`run ${id} in ${output}\n`);
  return launch({
    json,
    settings,
    run: () => Promise.resolve({ id, kind: 'retrain', output }),
    fresh: true,
  });
}
