import type { Command } from 'commander';
import { withSettings } from '../../options.ts';
import { whatOf } from '../../schedule/action.ts';
import { askingOf } from '../../schedule/failure.ts';
import { withSchedules } from '../../schedule/withSchedules.ts';

interface ListedSchedule {
  schedule: string;
  what: string;
  paused: boolean;
  note: string;
  /** Times of the next runs; none while it is paused. */
  next: string[];
  /** When it fired last. */
  last: string | null;
}

export function listCommand(schedule: Command, finish: (code: number) => void): void {
  const command = schedule
    .command('list')
    .description("The schedules of this Temporal server that start c2srt's runs, and when they fire next.")
    .option('--json', 'print a JSON array');
  withSettings(command, ['stateDir']);
  command.action(async (flags: { json?: boolean }) => {
    const listed = await withSchedules({ ...flags }, (schedules) =>
      askingOf('list', async () => {
        const found: ListedSchedule[] = [];
        for await (const { scheduleId, action, state, info } of schedules.list()) {
          const what = whatOf(action?.workflowType);
          if (what === undefined) continue;
          found.push({
            schedule: scheduleId,
            what,
            paused: state.paused,
            note: state.note ?? '',
            next: state.paused ? [] : info.nextActionTimes.map((time) => time.toISOString()),
            last: info.recentActions.at(-1)?.takenAt.toISOString() ?? null,
          });
        }
        return found;
      }),
    );
    if (flags.json) console.log(JSON.stringify(listed));
    else if (listed.length === 0) console.log('No schedules yet.');
    else console.table(listed.map(({ next, ...others }) => ({ ...others, next: next[0] ?? null })));
    finish(0);
  });
}
