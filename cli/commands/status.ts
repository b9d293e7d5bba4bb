import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { failedOf } from '../../data/run/counts.ts';
import { findPendingShards } from '../../data/run/pending.ts';
import { Failure } from '../../data/failure.ts';
import { SUCCESS } from '../../data/run/layout.ts';
import { readPlanIndex } from '../../data/run/plan.ts';
import { readRunRecord } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import { settingsOf, withSettings } from '../options.ts';
import { readProgress, unpolledQueues } from '../run/runProgress.ts';
import { findRun, type RunReference } from '../run/runReference.ts';
import { openSession, type Session } from '../run/session.ts';

const WATCH_INTERVAL_MS = 2_000;

/** What `status --json` prints. */
interface RunStatus {
  run: string;
  output: string;
  /** `running`, `paused`, `finished`, or how the last execution ended; `unknown` to this server. */
  state: string;
  stage: string | null;
  images: number;
  planned: number;
  tagged: number;
  failed: number;
  failuresByCode: Record<string, number>;
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  paused: string | null;
  retrying: string[];
  unpolledQueues: string[];
}

export function statusCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('status')
    .description('Show where a run is.')
    .argument('<run>', "the run's id, or its folder")
    .option('--watch', 'again every two seconds, until the run ends')
    .option('--json', 'print JSON');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: { watch?: boolean; json?: boolean }) => {
    const session = await openSession(settingsOf({ ...flags }), () => undefined);
    try {
      const reference = await findRun(run, session);
      for (;;) {
        const status = await readStatus(session, reference);
        console.log(flags.json ? JSON.stringify(status) : describeStatus(status));
        if (!flags.watch || (status.state !== 'running' && status.state !== 'paused')) break;
        await sleep(WATCH_INTERVAL_MS);
      }
    } finally {
      await session.close();
    }
    finish(0);
  });
}

async function readStatus(session: Session, reference: RunReference): Promise<RunStatus> {
  const handle = session.client.workflow.getHandle(reference.id);
  let state: string;
  try {
    state = (await handle.describe()).status.name.toLowerCase();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    state = 'unknown';
  }
  const { finished, ...folder } = await readFolder(reference);
  const base = {
    run: reference.id,
    output: reference.output,
    paused: null,
    retrying: [],
    unpolledQueues: [],
    imagesPerSecond: null,
    etaSeconds: null,
    ...folder,
  };
  if (finished) return { ...base, state: 'finished', stage: 'done' };
  if (state !== 'running') return { ...base, state, stage: null };
  const unpolled = await unpolledQueues(session);
  const progress = unpolled.length === 0 ? await readProgress(session, handle) : undefined;
  if (!progress) return { ...base, state, stage: null, unpolledQueues: unpolled };
  const {
    stage,
    imagesDone,
    keys,
    tagged,
    failed,
    failuresByCode,
    imagesPerSecond,
    etaSeconds,
    paused,
    retrying,
  } = progress;
  return {
    ...base,
    state: paused === null ? state : 'paused',
    stage,
    images: imagesDone,
    planned: keys,
    tagged,
    failed,
    failuresByCode,
    imagesPerSecond,
    etaSeconds,
    paused,
    retrying,
  };
}

type FolderState = Pick<RunStatus, 'images' | 'planned' | 'tagged' | 'failed' | 'failuresByCode'> & {
  finished: boolean;
};

/** What the run's folder says by itself: committed shards only. */
async function readFolder({ id, output: uri }: RunReference): Promise<FolderState> {
  const output = openStore(uri);
  if (!(await readRunRecord(output)))
    throw new Failure('Run.NotFound', `${uri} holds no run.`, {
      subject: uri,
      hint: `Is ${id} the run you mean? \`c2srt runs\` lists them.`,
    });
  const plan = await readPlanIndex(output);
  const { done } = await findPendingShards(output, 0, plan?.shards ?? 0);
  return {
    ...done,
    failed: failedOf(done),
    planned: plan?.keys ?? 0,
    finished: (await output.head(SUCCESS)) !== undefined,
  };
}

function describeStatus(status: RunStatus): string {
  const {
    run,
    output,
    state,
    stage,
    images,
    planned,
    tagged,
    failed,
    failuresByCode,
    imagesPerSecond,
    etaSeconds,
    paused,
    retrying,
  } = status;
  const lines = [
    `${run}: ${state}${stage === null || state === 'finished' ? '' : `, ${stage}`}`,
    `  folder   ${output}`,
    `  images   ${images} of ${planned} done, ${tagged} tagged, ${failed} failed`,
  ];
  for (const [code, count] of Object.entries(failuresByCode)) lines.push(`           ${count} ${code}`);
  if (imagesPerSecond !== null)
    lines.push(
      `  rate     ${imagesPerSecond.toFixed(1)} images/s${etaSeconds === null ? '' : `, ${Math.round(etaSeconds)} s left`}`,
    );
  if (paused !== null)
    lines.push(
      `  paused   ${paused}`,
      `           \`c2srt resume ${output} --max-failure-rate RATE\` goes on`,
    );
  for (const note of retrying) lines.push(`  retrying ${note}`);
  for (const queue of status.unpolledQueues)
    lines.push(
      `  waiting  no worker polls \`${queue}\`: \`c2srt worker\` starts one, \`c2srt resume ${output}\` goes on`,
    );
  if (state === 'unknown')
    lines.push(
      '  This Temporal server does not know the run; `c2srt resume` with its folder goes on with it here.',
    );
  return lines.join('\n');
}
