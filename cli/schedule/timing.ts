import { ScheduleOverlapPolicy, type ScheduleOptions } from '@temporalio/client';
import { msToNumber, type Duration } from '@temporalio/common/lib/time.js';
import { Option, type Command } from 'commander';
import { Failure } from '../../data/failure.ts';

/** What happens when a schedule fires while a run of it is at work. */
export const OVERLAPS = {
  skip: ScheduleOverlapPolicy.SKIP,
  'buffer-one': ScheduleOverlapPolicy.BUFFER_ONE,
  'buffer-all': ScheduleOverlapPolicy.BUFFER_ALL,
  'cancel-other': ScheduleOverlapPolicy.CANCEL_OTHER,
  'terminate-other': ScheduleOverlapPolicy.TERMINATE_OTHER,
  'allow-all': ScheduleOverlapPolicy.ALLOW_ALL,
} as const;

export type OverlapName = keyof typeof OVERLAPS;

export const overlapName = (policy: ScheduleOverlapPolicy): string =>
  Object.entries(OVERLAPS).find(([, known]) => known === policy)?.[0] ?? String(policy);

/** Flags that say when a schedule fires. */
export interface TimingFlags {
  cron?: string[];
  every?: string;
  timezone: string;
  overlap: OverlapName;
  catchup: string;
  pauseOnFailure?: boolean;
}

export const overlapOption = (description: string): Option =>
  new Option('--overlap <policy>', description).choices(Object.keys(OVERLAPS));

export function withTiming(command: Command): Command {
  return command
    .option(
      '--cron <expression...>',
      'when, as five fields, or as @weekly, @daily or @hourly; several add up',
    )
    .option('--every <duration>', 'or at this interval, as "12 hours" or 7d')
    .option('--timezone <name>', 'time zone of --cron, as Europe/Berlin', 'UTC')
    .addOption(overlapOption('where the run before is still at work').default('skip'))
    .option(
      '--catchup <duration>',
      'runs missed for up to this long, as by a server that was down, are made up for',
      '1 day',
    )
    .option('--pause-on-failure', 'pause the schedule when a run fails');
}

/** When a schedule fires, as the server takes it. Throws `Schedule.Invalid`. */
export function timingOf({
  cron = [],
  every,
  timezone,
  overlap,
  catchup,
  pauseOnFailure = false,
}: TimingFlags): Required<Pick<ScheduleOptions, 'spec' | 'policies'>> {
  if (cron.length === 0 && every === undefined)
    throw new Failure('Schedule.Invalid', 'Neither --cron nor --every says when.', {
      hint: 'For example: --cron "0 3 * * MON", or --every 7d.',
    });
  return {
    spec: {
      // The server keeps the comment of an expression, not its text.
      cronExpressions: cron.map((text) => (text.includes('#') ? text : `${text} #${text}`)),
      intervals: every === undefined ? [] : [{ every: durationOf('--every', every) }],
      timezone,
    },
    policies: {
      overlap: OVERLAPS[overlap],
      catchupWindow: durationOf('--catchup', catchup),
      pauseOnFailure,
    },
  };
}

/** Milliseconds; the server counts in seconds. */
function durationOf(flag: string, text: string): number {
  let durationMs = NaN;
  try {
    durationMs = msToNumber(text as Duration);
  } catch {
    // Told below.
  }
  if (durationMs >= 1000) return durationMs;
  throw new Failure(
    'Schedule.Invalid',
    `${flag} is ${JSON.stringify(text)}, which is no duration of a second or more.`,
    {
      hint: 'For example: 90m, "12 hours", 7d.',
    },
  );
}

/** A span of time, both in ISO 8601. Throws `Schedule.Invalid`. */
export function spanOf(from: string, to: string): { start: Date; end: Date } {
  const [start, end] = [timeOf('--from', from), timeOf('--to', to)];
  if (start < end) return { start, end };
  throw new Failure('Schedule.Invalid', `--from ${from} is not before --to ${to}.`);
}

function timeOf(flag: string, text: string): Date {
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new Failure('Schedule.Invalid', `${flag} is ${JSON.stringify(text)}, which is no time.`, {
    hint: 'For example: 2026-01-31 or 2026-01-31T03:00:00Z.',
  });
}
