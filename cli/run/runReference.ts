import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { Failure } from '../../data/failure.ts';
import { RUN_RECORD } from '../../data/run/layout.ts';
import { runIdOf } from '../../data/run/record.ts';
import { canonicalUri } from '../../data/store/open.ts';
import type { Session } from './session.ts';

/** Where a run is: its id, and its folder. */
export interface RunReference {
  id: string;
  output: string;
}

/** A run by its folder. */
export function runOfFolder(uri: string): RunReference {
  const output = canonicalUri(uri);
  return { id: runIdOf(output), output };
}

/** Whether RUN in a command is a folder's URI or path rather than an id. */
const isFolder = (run: string): boolean => /[/\\.]/.test(run) || existsSync(join(run, RUN_RECORD));

/** RUN in a command: the run's id, which the server must know, or its folder, which is enough by itself. */
export async function findRun(run: string, session: Session): Promise<RunReference> {
  if (isFolder(run)) return runOfFolder(run);
  try {
    const { memo } = await session.client.workflow.getHandle(run).describe();
    const output = memo?.['output'];
    if (typeof output === 'string') return { id: run, output };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new Failure('Usage.UnknownRun', `This Temporal server knows no run ${run}.`, {
    subject: run,
    hint: "Give the URI of the run's folder instead: it is enough on any server. `c2srt runs` lists the runs that this one knows.",
  });
}
