import { Failure } from '../../data/failure.ts';
import { specDifferences } from '../../data/run/differences.ts';
import { CATEGORIES, GRAPH } from '../../data/run/layout.ts';
import { claimRunFolder, type RunRecord } from '../../data/run/record.ts';
import { otherKind } from '../../data/run/requireRun.ts';
import { probeConditionalPuts } from '../../data/store/probe.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Inputs } from '../inputs.ts';

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

/** Writes a new run's inputs and, last, its record. Of two commands at once that ask for different runs one fails. */
export async function claimRun(
  output: ObjectStore,
  { categories, graph }: Partial<Inputs>,
  record: RunRecord,
): Promise<void> {
  await probeConditionalPuts(output);
  if (categories)
    await output.put(CATEGORIES, JSON.stringify(categories, null, 1), { contentType: 'application/json' });
  if (graph) await output.put(GRAPH, graph.json, { contentType: 'application/json' });
  refuseDifferent(output, await claimRunFolder(output, record), record);
}
