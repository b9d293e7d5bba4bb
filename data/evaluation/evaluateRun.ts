import { claimRun, type RunInputs } from '../run/claim.ts';
import { runIdOf } from '../run/record.ts';
import type { ObjectStore } from '../store/store.ts';
import type { EvaluateSpec } from './evaluateSpec.ts';

/**
 * Makes a folder that of an evaluation, which the workflow `evaluateModel` can then do: its inputs and its record. Returns
 * the run's id. Where it is one already, of the same specification, it stays; of another, `Run.Different` is thrown.
 */
export async function writeEvaluateRun(
  output: ObjectStore,
  spec: EvaluateSpec,
  inputs: RunInputs,
): Promise<string> {
  const id = runIdOf('evaluate', output.uri);
  await claimRun(output, inputs, {
    ...{ version: 1, id, createdAt: new Date().toISOString(), kind: 'evaluate', spec },
  });
  return id;
}
