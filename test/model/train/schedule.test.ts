import { expect, test } from 'vitest';
import { rateShare } from '../../../model/train/schedule.ts';

const shares = (schedule: Parameters<typeof rateShare>[1]): number[] =>
  Array.from({ length: schedule.steps }, (_, step) => rateShare(step, schedule));

test('rises linearly to the highest rate, then falls along half a cosine', () => {
  const schedule = { kind: 'cosine', warmupSteps: 4, steps: 12 } as const;
  const all = shares(schedule);
  expect(all.slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
  expect(all[8]).toBeCloseTo(0.5, 12);
  for (let step = 5; step < all.length; step++) expect(all[step]).toBeLessThan(all[step - 1]!);
  expect(rateShare(12, schedule)).toBeCloseTo(0, 12);
});

test('a constant schedule stays at the highest rate after its warm-up', () => {
  expect(shares({ kind: 'constant', warmupSteps: 2, steps: 5 })).toEqual([0.5, 1, 1, 1, 1]);
});

test('a warm-up that is longer than the training only rises', () => {
  expect(shares({ kind: 'cosine', warmupSteps: 10, steps: 3 })).toEqual([0.1, 0.2, 0.3]);
});
