import type { ScheduleHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { withSettings } from '../../options.ts';
import { askingOf } from '../../schedule/failure.ts';
import { overlapName, overlapOption, OVERLAPS, spanOf, type OverlapName } from '../../schedule/timing.ts';
import { withSchedules } from '../../schedule/withSchedules.ts';

/** Each command has those that mean something to it. */
interface ChangeFlags {
  note: string;
  overlap?: OverlapName;
  from: string;
  to: string;
  json?: boolean;
}

/** The commands that ask one thing of one schedule. */
export function changeCommands(schedule: Command, finish: (code: number) => void): void {
  /** Adds a command that does `change` to a schedule and prints what it returns. */
  const add = (
    command: Command,
    change: (handle: ScheduleHandle, flags: ChangeFlags) => Promise<string>,
  ): void => {
    withSettings(command.argument('<name>', 'name of the schedule'), ['stateDir'])
      .option('--json', 'print JSON')
      .action(async (name: string, flags: ChangeFlags) => {
        const done = await withSchedules({ ...flags }, (schedules) =>
          askingOf(name, () => change(schedules.getHandle(name), flags)),
        );
        console.log(flags.json ? JSON.stringify({ schedule: name, done }) : `Schedule ${name}: ${done}.`);
        finish(0);
      });
  };

  add(
    schedule
      .command('pause')
      .description('Have a schedule not fire. Runs at work go on.')
      .option('--note <text>', 'why; kept with the schedule', 'paused by hand'),
    async (handle, { note }) => {
      await handle.pause(note);
      return 'paused';
    },
  );
  add(
    schedule
      .command('resume')
      .description('Have a paused schedule fire again.')
      .option('--note <text>', 'why; kept with the schedule', 'resumed by hand'),
    async (handle, { note }) => {
      await handle.unpause(note);
      return 'resumed';
    },
  );
  add(
    schedule
      .command('trigger')
      .description('Fire now, besides the times of the schedule.')
      .addOption(overlapOption("where a run is at work (default: the schedule's own policy)")),
    async (handle, { overlap }) => {
      const policy = overlap ? OVERLAPS[overlap] : (await handle.describe()).policies.overlap;
      await handle.trigger(policy);
      return `triggered, ${overlapName(policy)} where a run is at work`;
    },
  );
  add(
    schedule
      .command('backfill')
      .description('Fire for the times of the schedule in a span that has passed.')
      .requiredOption('--from <time>', 'begin of the span, ISO 8601')
      .requiredOption('--to <time>', 'end of the span, ISO 8601')
      .addOption(overlapOption('where a run is at work: of many runs, buffer-all does one after the other')),
    async (handle, { from, to, overlap }) => {
      const policy = overlap ? OVERLAPS[overlap] : (await handle.describe()).policies.overlap;
      const { start, end } = spanOf(from, to);
      await handle.backfill({ start, end, overlap: policy });
      return `made up for ${start.toISOString()} to ${end.toISOString()}, ${overlapName(policy)} where a run is at work`;
    },
  );
  add(
    schedule.command('delete').description('Delete a schedule. Its runs, and their folders, stay.'),
    async (handle) => {
      await handle.delete();
      return 'deleted';
    },
  );
}
