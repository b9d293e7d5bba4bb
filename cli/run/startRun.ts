import type { Settings } from '../../data/config/schema.ts';
import { claimRun, refuseDifferent, type RunInputs } from '../../data/run/claim.ts';
import { SUCCESS } from '../../data/run/layout.ts';
import { readRunRecord, type RunRecord } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { temporalConnection } from '../../infra/temporalConnection.ts';
import { launch } from './launch.ts';
import { runOfFolder, type RunReference } from './runReference.ts';

/** A kind of run and its specification. */
export type AskedRun = RunRecord extends infer Kind
  ? Kind extends RunRecord
    ? Pick<Kind, 'kind' | 'spec'>
    : never
  : never;

export interface RunStart {
  /** The run's folder, as the user names it. */
  out: string;
  json: boolean;
  settings: Settings;
  asked: AskedRun;
  inputs: RunInputs;
  /** Throws where no new run can be begun in the folder. */
  checkNew?: (output: ObjectStore) => Promise<void>;
  /** Brings the model here, with progress, and throws where it does not do. */
  checkModel: () => Promise<void>;
  /** Prints what a run that has finished before came to, and returns the command's exit code. */
  reportFinished: (run: RunReference, output: ObjectStore) => Promise<number>;
}

/**
 * Starts a run, or goes on with the one that its folder holds, and follows it; returns the command's exit code. What can
 * be wrong is said before anything is written.
 */
export async function startRun({
  out,
  json,
  settings,
  asked,
  inputs,
  checkNew,
  checkModel,
  reportFinished,
}: RunStart): Promise<number> {
  const run = runOfFolder(asked.kind, out);
  const output = openStore(run.output);
  const existing = await readRunRecord(output);
  if (existing) {
    refuseDifferent(output, existing, asked);
    if (await output.head(SUCCESS)) return reportFinished(run, output);
    // A worker elsewhere fetches the model itself; in this process it is fetched now, where its progress can be shown.
    if (!(await temporalConnection(process.env))) await checkModel();
  } else {
    await checkNew?.(output);
    await checkModel();
    const record: RunRecord = { version: 1, id: run.id, createdAt: new Date().toISOString(), ...asked };
    await claimRun(output, inputs, record);
  }
  return launch({ json, settings, run: () => Promise.resolve(run), fresh: !existing });
}
