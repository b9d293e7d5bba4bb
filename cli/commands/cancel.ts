import type { Command } from 'commander';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { Failure } from '../../data/failure.ts';
import { settingsOf, withSettings } from '../options.ts';
import { findRun } from '../run/runReference.ts';
import { openSession } from '../run/session.ts';

export function cancelCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('cancel')
    .description('Ask a run to stop. What it has done stays in its folder; `resume` goes on from there.')
    .argument('<run>', "the run's id, or its folder");
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: Record<string, unknown>) => {
    const session = await openSession(settingsOf(flags), () => undefined);
    try {
      const { id, output } = await findRun(run, session);
      const handle = session.client.workflow.getHandle(id);
      // A server takes the cancellation of a run that has ended, and does nothing.
      if (!(await isRunning(handle))) {
        throw new Failure('Usage.NotRunning', `Run ${id} is not at work on this Temporal server.`, {
          subject: id,
          hint: `\`c2srt status ${output}\` says where it is.`,
        });
      }
      await handle.cancel();
      console.log(
        `Run ${id} was asked to stop; its shards in work are spooled first. \`c2srt resume ${output}\` goes on.`,
      );
    } finally {
      await session.close();
    }
    finish(0);
  });
}

async function isRunning(handle: WorkflowHandle): Promise<boolean> {
  try {
    return (await handle.describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
