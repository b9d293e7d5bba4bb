import { ScheduleOverlapPolicy } from '@temporalio/client';
import { expect, it } from 'vitest';
import { spanOf, timingOf, type TimingFlags } from '../../cli/schedule/timing.ts';

const flags: TimingFlags = { timezone: 'UTC', overlap: 'skip', catchup: '1 day' };
const timing = (change: Partial<TimingFlags>) => timingOf({ ...flags, ...change });

it.each([
  ['neither --cron nor --every', {}, /Neither --cron nor --every/],
  ['an interval that is none', { every: 'soon' }, /--every is "soon"/],
  ['an interval of milliseconds', { every: '5' }, /--every is "5"/],
  ['a negative interval', { every: '-1h' }, /--every is "-1h"/],
  ['an empty window', { every: '1h', catchup: '' }, /--catchup is ""/],
])('%s is refused', (_, change, message) => {
  expect(() => timing(change)).toThrow(
    expect.objectContaining({
      code: 'Schedule.Invalid',
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});

it('durations are milliseconds, and expressions keep their text as a comment', () => {
  expect(timing({ cron: ['0 3 * * MON', '@daily # mine'], every: '12 hours', catchup: '90m' })).toEqual({
    spec: {
      cronExpressions: ['0 3 * * MON #0 3 * * MON', '@daily # mine'],
      intervals: [{ every: 12 * 3_600_000 }],
      timezone: 'UTC',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: 90 * 60_000, pauseOnFailure: false },
  });
});

it.each([
  ['2026-01-02', '2026-01-01'],
  ['2026-01-01', '2026-01-01'],
  ['yesterday', '2026-01-01'],
])('from %s to %s is no span', (from, to) => {
  expect(() => spanOf(from, to)).toThrow(expect.objectContaining({ code: 'Schedule.Invalid' }) as Error);
});
