import type { Category } from '../categories.ts';
import { Failure } from '../failure.ts';
import { specDifferences } from './differences.ts';
import { vocabularyInputs } from './layout.ts';
import { claimRunFolder, type RunRecord } from './record.ts';
import { otherKind } from './requireRun.ts';
import { probeConditionalPuts } from '../store/probe.ts';
import type { ObjectStore } from '../store/store.ts';

/** What of a run's inputs is copied into its folder. */
export interface RunInputs {
  /** Of the vocabulary that they are of, where a run has several. */
  name?: string | null;
  categories?: readonly Category[] | undefined;
  /** A category graph as JSON, which `parseGraph` reads. */
  graph?: { json: string } | undefined;
}

/** Throws `Run.OtherKind` or, with the differences, `Run.Different` where a folder's run is not the one asked for. */
export function refuseDifferent(
  output: ObjectStore,
  existing: RunRecord,
  asked: Pick<RunRecord, 'kind' | 'spec'>,
): void {
  if (existing.kind !== asked.kind) throw otherKind(output, existing, asked.kind);
  const differences = specDifferences(existing.spec, asked.spec);
  if (differences.length === 0) return;
  throw new Failure(
    'Run.Different',
    `${output.uri} holds run ${existing.id}, which was started with other inputs:\n${differences.map((line) => `  ${line}`).join('\n')}`,
    {
      subject: output.uri,
      hint: 'Repeat the first command to go on with that run, or choose another --out.',
    },
  );
}

/**
 * Writes a new run's inputs and, last, its record: from then on the folder is that run, and a workflow of its kind can
 * do it. Of two callers at once that ask for different runs one fails, as {@link refuseDifferent} does.
 */
export async function claimRun(
  output: ObjectStore,
  inputs: RunInputs | readonly RunInputs[],
  record: RunRecord,
): Promise<void> {
  await probeConditionalPuts(output);
  const options = { contentType: 'application/json' };
  for (const { name = null, categories, graph } of [inputs].flat()) {
    const keys = vocabularyInputs(name);
    if (categories) await output.put(keys.categories, JSON.stringify(categories, null, 1), options);
    if (graph) await output.put(keys.graph, graph.json, options);
  }
  refuseDifferent(output, await claimRunFolder(output, record), record);
}
