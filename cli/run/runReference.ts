import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  WorkflowNotFoundError,
  type WorkflowExecutionStatusName,
  type WorkflowHandle,
} from '@temporalio/client';
import { Failure } from '../../data/failure.ts';
import { COMPACT_RECORD, RUN_RECORD } from '../../data/run/layout.ts';
import { kindOfRunId, runIdOf, type RunKind } from '../../data/run/record.ts';
import { requireRun } from '../../data/run/requireRun.ts';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Settings } from '../../data/config/schema.ts';
import { openSession, type Session } from './session.ts';

/** Where a run is: its id, its kind, and its folder. */
export interface RunReference {
  id: string;
  kind: RunKind;
  output: string;
}

/** The run of a kind that a folder is, or is to become. */
export function runOfFolder(kind: RunKind, uri: string): RunReference {
  const output = canonicalUri(uri);
  return { id: runIdOf(kind, output), kind, output };
}

/** Whether RUN in a command is a folder's URI or path rather than an id. */
const isFolder = (run: string): boolean =>
  /[/\\.]/.test(run) || [RUN_RECORD, COMPACT_RECORD].some((record) => existsSync(join(run, record)));

/** RUN in a command: the run's id, which the server must know, or its folder, which is enough by itself. */
export async function findRun(run: string, session: Session): Promise<RunReference> {
  if (isFolder(run)) {
    const { kind } = await requireRun(openStore(run));
    return runOfFolder(kind, run);
  }
  const kind = kindOfRunId(run);
  try {
    const { memo } = await session.client.workflow.getHandle(run).describe();
    const output = memo?.['output'];
    if (kind !== undefined && typeof output === 'string') return { id: run, kind, output };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new Failure('Usage.UnknownRun', `This Temporal server knows no run ${run}.`, {
    subject: run,
    hint: "Give the URI of the run's folder instead: it is enough on any server. `c2srt runs` lists the runs that this one knows.",
  });
}

/** The folder of a run in a command that only reads it: a server is asked only for what an id stands for. */
export async function folderOfRun(run: string, settings: Settings): Promise<ObjectStore> {
  if (isFolder(run)) return openStore(run);
  const session = await openSession(settings, () => undefined);
  try {
    return openStore((await findRun(run, session)).output);
  } finally {
    await session.close();
  }
}

/** How workflows that are no longer at work have ended. */
const ENDS: Readonly<Partial<Record<WorkflowExecutionStatusName, string>>> = {
  COMPLETED: 'it has finished',
  FAILED: 'it has failed',
  CANCELLED: 'it was cancelled',
  TERMINATED: 'it was terminated',
  TIMED_OUT: 'it has timed out',
};

/** The workflow of a run that is at work. Throws `Usage.NotRunning`, which says why it is not. */
export async function runAtWork({ id, output }: RunReference, { client }: Session): Promise<WorkflowHandle> {
  const handle = client.workflow.getHandle(id);
  let why = 'this Temporal server has never had it';
  let hint = `\`c2srt resume ${output}\` goes on with it here.`;
  try {
    const { status, closeTime } = await handle.describe();
    if (status.name === 'RUNNING') return handle;
    why = `${ENDS[status.name] ?? 'it has ended'}${closeTime ? ` at ${closeTime.toISOString()}` : ''}`;
    if (status.name === 'COMPLETED') hint = `\`c2srt status ${output}\` shows what it came to.`;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new Failure('Usage.NotRunning', `Run ${id} is not at work: ${why}.`, { subject: id, hint });
}
