import type { Settings } from '../../data/config/schema.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import { Failure } from '../../data/failure.ts';
import { MANIFEST } from '../../data/run/layout.ts';
import { readJson } from '../../data/store/json.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { TrainResult } from '../../workflows/train/trainTypes.ts';
import { EXIT } from '../exit.ts';
import type { Inputs } from '../inputs.ts';
import type { RunReference } from '../run/runReference.ts';
import { startRun, type AskedRun } from '../run/startRun.ts';
import { describeCourse, describeModel, trainSummary } from '../run/train/outcome.ts';

/** Flags that `train` and `pretrain` have in common. */
export interface TrainingFlags {
  data: string;
  validation?: string;
  out: string;
  json?: boolean;
}

export interface TrainingStart {
  flags: TrainingFlags;
  settings: Settings;
  asked: Extract<AskedRun, { kind: TrainRecord['kind'] }>;
  inputs: Partial<Inputs>;
  /** Brings the starting model here, with progress unless `quiet`, and throws where it cannot be trained as asked. */
  checkModel: (quiet: boolean) => Promise<void>;
}

/**
 * Starts a training, or goes on with the one that its folder holds, and follows it; returns the command's exit code.
 * What can be wrong is said before anything is written.
 */
export async function startTraining({
  flags,
  settings,
  asked,
  inputs,
  checkModel,
}: TrainingStart): Promise<number> {
  const json = flags.json ?? false;
  return startRun({
    out: flags.out,
    json,
    settings,
    asked,
    inputs,
    async checkNew(output) {
      await refuseOccupied(output, asked.spec.model);
      const kind = asked.kind === 'train' ? 'labels' : 'captions';
      for (const uri of [asked.spec.data, asked.spec.validation])
        if (uri !== null) await refuseUnreadable(uri, kind);
    },
    checkModel: () => checkModel(json),
    reportFinished: (run, output) => reportFinished(run, output, json),
  });
}

/** The run's folder becomes a model: none may be there, least of all the one that training starts from. */
async function refuseOccupied(output: ObjectStore, model: string): Promise<void> {
  if (output.uri === model || `${output.uri}/`.startsWith(`${model}/`))
    throw new Failure('Usage.OutputInsideModel', `--out ${output.uri} lies inside the model ${model}.`, {
      subject: output.uri,
      hint: 'Choose an --out outside of it.',
    });
  if (await output.head('config.json'))
    throw new Failure('Usage.OutputHoldsModel', `--out ${output.uri} holds a model (config.json) already.`, {
      subject: output.uri,
      hint: 'Choose another --out: the run would write its model over that one.',
    });
}

/** Says now, and not in a worker's retries, that a manifest is not there or is none. */
async function refuseUnreadable(uri: string, kind: 'labels' | 'captions'): Promise<void> {
  for await (const _ of readManifest(uri, { kind })) return;
}

async function reportFinished(run: RunReference, output: ObjectStore, json: boolean): Promise<number> {
  const { result } = (await readJson(output, MANIFEST)) as { result: TrainResult };
  const summary = trainSummary(run, result, 0);
  console.log(
    json
      ? JSON.stringify(summary)
      : [`Run ${run.id} is finished already: ${describeCourse(summary)}`, ...describeModel(summary)].join(
          '\n',
        ),
  );
  return EXIT.ok;
}
