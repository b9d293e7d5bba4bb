import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type WorkflowHandle } from '@temporalio/client';
import type { Settings } from '../../data/config/schema.ts';
import { readControls, type ControlChange } from '../../data/run/atWork/controls.ts';
import { openStore } from '../../data/store/open.ts';
import { EXIT } from '../exit.ts';
import { follow, type FollowOutcome } from './follow.ts';
import type { ProgressDisplay } from './progressDisplay.ts';
import { reportOutcome } from './runOutcome.ts';
import type { RunReference } from './runReference.ts';
import { startSearchable } from './server/searchable.ts';
import { openSession, type Session } from './session.ts';
import { VIEWS } from './views.ts';
import type { LiveProgress } from './runView.ts';
import { QUEUES } from '../../workflows/queues.ts';

export interface LaunchOptions {
  json: boolean;
  settings: Settings;
  /** The run; may need the session to be found. */
  run: (session: Session) => Promise<RunReference>;
  /** Whether the run's folder is new: an execution that the server still has is of a folder that was deleted. */
  fresh?: boolean;
  /** What this command says of how the run is worked on; it goes before what `set` has said, and that before settings. */
  given?: ControlChange;
  /** Called once the workflow is there, before it is followed; may say what it does. */
  started?: (session: Session, handle: WorkflowHandle, tell: (line: string) => void) => Promise<void>;
}

/**
 * Makes sure that a run's workflow is at work (starting it where it is not), follows it, and returns the exit code.
 * The first Ctrl-C ends the following: a remote run goes on, an embedded one stops cleanly and can be continued.
 */
export async function launch({
  json,
  settings,
  run: findRun,
  fresh = false,
  given = {},
  started,
}: LaunchOptions): Promise<number> {
  let display: ProgressDisplay<LiveProgress> | undefined;
  let inHand = '';
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) return;
    interrupt.abort();
    display?.stop();
    process.stderr.write(`stopping${inHand} ...\n`);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  let session: Session;
  try {
    session = await openSession(settings, (line) => {
      if (!json) process.stderr.write(`${line}\n`);
    });
  } catch (error) {
    // Ctrl-C goes to the whole process group: a server that was just being started may have got it too.
    if (!interrupt.signal.aborted) throw error;
    process.stderr.write('The run was not started. The same command starts it.\n');
    return EXIT.interrupted;
  }
  try {
    const run = await findRun(session);
    const view = VIEWS[run.kind];
    inHand = `: ${view.inHand}`;
    display = json ? SILENT : view.createDisplay();
    const startedMs = performance.now();
    const report = (outcome: FollowOutcome): number =>
      reportOutcome(run, outcome, (performance.now() - startedMs) / 1000, {
        json,
        embedded: session.embedded,
      });
    if (interrupt.signal.aborted) return report({ kind: 'interrupted' });
    const workers = await session.startWorkers();
    const workersFailed = workers?.finished.then(() => undefined);
    const said = fresh ? {} : await readControls(openStore(run.output));
    const handle = await startRun(session, run, { ...settings, ...said, ...given }, fresh);
    await started?.(session, handle, (line) => display?.line(line));
    const following = follow(session, handle, view, display, interrupt.signal);
    const outcome = await (workersFailed
      ? Promise.race([following, workersFailed.then(() => following)])
      : following);
    display.stop();
    return report(outcome);
  } finally {
    display?.stop();
    await session.close();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** The run's workflow: the one at work, else a new execution, which goes on from the run's folder. */
function startRun(
  session: Session,
  run: RunReference,
  settings: Settings,
  fresh: boolean,
): Promise<WorkflowHandle> {
  const view = VIEWS[run.kind];
  return startSearchable(session, view.workflow, run, {
    workflowId: run.id,
    taskQueue: QUEUES.orchestrate,
    args: [view.input(run.output, settings)],
    workflowIdConflictPolicy: fresh
      ? WorkflowIdConflictPolicy.TERMINATE_EXISTING
      : WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  });
}

const nothing = (): void => undefined;

/** With --json nothing is shown but the end. */
const SILENT: ProgressDisplay<LiveProgress> = {
  show: nothing,
  waiting: nothing,
  line: nothing,
  stop: nothing,
};
