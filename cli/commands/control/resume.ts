import type { Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import type { ControlChange } from '../../../data/run/atWork/controls.ts';
import { SUCCESS } from '../../../data/run/layout.ts';
import { requireRun } from '../../../data/run/requireRun.ts';
import { openStore } from '../../../data/store/open.ts';
import { resumeSignal, resumeUpdate } from '../../../workflows/control/requests.ts';
import { launch } from '../../run/launch.ts';
import { request } from '../../run/server/request.ts';
import {
  CONTROL_SETTINGS,
  LLM_CONTROL_SETTINGS,
  LLM_WORKER_SETTINGS,
  settingsOf,
  WORKER_SETTINGS,
  withSettings,
} from '../../options.ts';
import { findRun, type RunReference } from '../../run/runReference.ts';
import type { Session } from '../../run/session.ts';

export function resumeCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('resume')
    .description(
      "Continue a run that failed, paused, was cancelled or lost, on any Temporal server: the run's folder is enough.",
    )
    .argument('<run>', "the run's id, or its folder")
    .option('--json', 'print one JSON object at the end, nothing else');
  withSettings(command, [
    ...CONTROL_SETTINGS,
    ...WORKER_SETTINGS,
    ...LLM_CONTROL_SETTINGS,
    ...LLM_WORKER_SETTINGS,
    'stateDir',
  ]);
  command.action(async (run: string, flags: Record<string, unknown>) => {
    const settings = settingsOf(flags);
    const given: ControlChange = {
      ...(flags['concurrency'] !== undefined && { concurrency: settings.concurrency }),
      ...(flags['maxFailureRate'] !== undefined && { maxFailureRate: settings.maxFailureRate }),
    };
    finish(
      await launch({
        json: flags['json'] === true,
        settings,
        run: (session) => unfinishedRun(run, session),
        given,
        async started(session, handle, tell) {
          // Not after a look whether it is paused: nobody answers where no worker is up yet.
          const ask = { update: resumeUpdate, signal: resumeSignal, change: given };
          const reply = await request(session, handle, ask);
          if ('unanswered' in reply) tell(`goes on as soon as a worker takes that up: ${reply.unanswered}`);
        },
      }),
    );
  });
}

async function unfinishedRun(run: string, session: Session): Promise<RunReference> {
  const reference = await findRun(run, session);
  const output = openStore(reference.output);
  await requireRun(output);
  if (await output.head(SUCCESS)) {
    throw new Failure('Run.Finished', `Run ${reference.id} is finished: there is nothing to resume.`, {
      subject: reference.output,
    });
  }
  return reference;
}
