import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { cancelUpdate } from '../../../workflows/control/requests.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { request } from '../../run/server/request.ts';
import { findRun, runAtWork } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

/** How long the end is waited for: what is in hand is spooled within seconds, but for a round of a large training. */
const END_MS = 60_000;

export function cancelCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('cancel')
    .description('Have a run stop. What it has done stays in its folder; `resume` goes on from there.')
    .argument('<run>', "the run's id, or its folder");
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: Record<string, unknown>) => {
    const session = await openSession(settingsOf(flags), () => undefined);
    try {
      const reference = await findRun(run, session);
      const { id, output, kind } = reference;
      const handle = await runAtWork(reference, session);
      const reply = await request(session, handle, { update: cancelUpdate, change: {} });
      // The cancellation itself is Temporal's: it holds on the server from now on, with or without a worker.
      await handle.cancel();
      const goOn = `\`c2srt resume ${output}\` goes on.`;
      if ('unanswered' in reply)
        console.log(`Run ${id} stops as soon as a worker takes that up: ${reply.unanswered}. ${goOn}`);
      else if (await ends(handle)) console.log(`Run ${id} has stopped. ${goOn}`);
      else console.log(`Run ${id} stops; ${VIEWS[kind].inHand}. ${goOn}`);
    } finally {
      await session.close();
    }
    finish(0);
  });
}

/** Whether the run ends in the time that is waited for it. */
async function ends(handle: WorkflowHandle): Promise<boolean> {
  const deadlineMs = Date.now() + END_MS;
  while (Date.now() < deadlineMs) {
    if ((await handle.describe()).status.name !== 'RUNNING') return true;
    await sleep(200);
  }
  return false;
}
