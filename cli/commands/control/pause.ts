import type { Command } from 'commander';
import type { RunKind } from '../../../data/run/record.ts';
import { pauseSignal } from '../../../workflows/signals.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { findRun, runAtWork } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';

/** Where runs pause that are no trainings. */
const WHERE: Partial<Record<RunKind, string>> = {
  tag: 'once its shards in work are done',
  graph: 'once the questions in hand are answered',
};

export function pauseCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('pause')
    .description(
      'Ask a run to wait where nothing is lost: a training at the end of its round, a tag run after its shards in work.',
    )
    .argument('<run>', "the run's id, or its folder");
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: Record<string, unknown>) => {
    const session = await openSession(settingsOf(flags), () => undefined);
    try {
      const reference = await findRun(run, session);
      const handle = await runAtWork(reference, session);
      await handle.signal(pauseSignal);
      const { id, kind, output } = reference;
      const where = WHERE[kind] ?? 'at the end of its round';
      console.log(`Run ${id} pauses ${where}. \`c2srt resume ${output}\` goes on.`);
    } finally {
      await session.close();
    }
    finish(0);
  });
}
