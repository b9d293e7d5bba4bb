import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { SUCCESS } from '../../../data/run/layout.ts';
import { requireRun } from '../../../data/run/requireRun.ts';
import { openStore } from '../../../data/store/open.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { unpolledQueues } from '../../run/pending.ts';
import { queueLines, queueStates, type QueueState } from '../../run/server/queues.ts';
import { etaText, rateText } from '../../run/progressDisplay.ts';
import { findRun, type RunReference } from '../../run/runReference.ts';
import { openSession, type Session } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

const WATCH_INTERVAL_MS = 2_000;

/** What `status --json` prints of every run, beside what its kind adds. */
interface RunStatus {
  run: string;
  kind: string;
  output: string;
  /** `running`, `paused`, `finished`, or how the last execution ended; `unknown` to this server. */
  state: string;
  stage: string | null;
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  paused: string | null;
  /** The command that goes on after the pause. */
  goOn: string | null;
  retrying: string[];
  unpolledQueues: string[];
  /** Of the server, which may serve other runs too; empty where the run is not at work. */
  queues: QueueState[];
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
        console.log(flags.json ? JSON.stringify(status) : describeStatus(reference, status));
        if (!flags.watch || (status.state !== 'running' && status.state !== 'paused')) break;
        await sleep(WATCH_INTERVAL_MS);
      }
    } finally {
      await session.close();
    }
    finish(0);
  });
}

/** Where a run is, by its folder and, where a worker answers, by its workflow. */
async function readStatus(session: Session, { id, kind, output: uri }: RunReference): Promise<RunStatus> {
  const view = VIEWS[kind];
  const handle = session.client.workflow.getHandle(id);
  let state: string;
  try {
    state = (await handle.describe()).status.name.toLowerCase();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    state = 'unknown';
  }
  const output = openStore(uri);
  await requireRun(output);
  const base = {
    run: id,
    kind,
    output: uri,
    state,
    stage: null,
    imagesPerSecond: null,
    etaSeconds: null,
    paused: null,
    goOn: null,
    retrying: [],
    unpolledQueues: [],
    queues: [],
  };
  if (await output.head(SUCCESS))
    return { ...base, state: 'finished', stage: 'done', ...(await view.folderStatus(output)) };
  if (state !== 'running') return { ...base, ...(await view.folderStatus(output)) };
  const [unpolled, queues] = await Promise.all([unpolledQueues(session), queueStates(session)]);
  const progress = unpolled.length === 0 ? await view.readProgress(session, handle) : undefined;
  if (!progress) return { ...base, queues, unpolledQueues: unpolled, ...(await view.folderStatus(output)) };
  const { stage, imagesPerSecond, etaSeconds, paused, retrying } = progress;
  return {
    ...base,
    state: paused === null ? state : 'paused',
    stage,
    imagesPerSecond,
    etaSeconds,
    paused,
    goOn: paused === null ? null : view.goOn(uri, paused),
    retrying,
    queues,
    ...view.status(progress),
  };
}

function describeStatus({ kind }: RunReference, status: RunStatus): string {
  const view = VIEWS[kind];
  const { run, output, state, stage, imagesPerSecond, etaSeconds, paused, goOn } = status;
  const lines = [
    `${run}: ${state}${stage === null || state === 'finished' ? '' : `, ${stage}`}`,
    `  folder   ${output}`,
    ...view.describe(status),
  ];
  if (imagesPerSecond !== null)
    lines.push(
      `  rate     ${rateText(status)} images/s${etaSeconds === null ? '' : `, ${etaText(status)} left`}`,
    );
  if (paused !== null && goOn !== null) lines.push(`  paused   ${paused}`, `           \`${goOn}\` goes on`);
  lines.push(...queueLines(status.queues));
  for (const note of status.retrying) lines.push(`  retrying ${note}`);
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
