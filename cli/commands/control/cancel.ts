import type { Command } from 'commander';
import { settingsOf, withSettings } from '../../options.ts';
import { findRun, runAtWork } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

export function cancelCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('cancel')
    .description('Ask a run to stop. What it has done stays in its folder; `resume` goes on from there.')
    .argument('<run>', "the run's id, or its folder");
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: Record<string, unknown>) => {
    const session = await openSession(settingsOf(flags), () => undefined);
    try {
      const reference = await findRun(run, session);
      const { id, output, kind } = reference;
      // A server takes the cancellation of a run that has ended, and does nothing.
      const handle = await runAtWork(reference, session);
      await handle.cancel();
      console.log(`Run ${id} was asked to stop; ${VIEWS[kind].inHand}. \`c2srt resume ${output}\` goes on.`);
    } finally {
      await session.close();
    }
    finish(0);
  });
}
