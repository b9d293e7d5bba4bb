/** What a run remembers of its latest work: bounded, whatever happens. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withExample, withFailure, type FailedImage } from '../../data/run/atWork/failureSample.ts';
import { withMark, type Mark } from '../../workflows/control/recentRate.ts';

const MINUTE_MS = 60_000;

const marksOf = (gapsMs: readonly number[]): Mark[] => {
  let [ms, images] = [0, 0];
  return gapsMs.reduce<Mark[]>(
    (marks, gapMs) => withMark(marks, { ms: (ms += gapMs), images: (images += 100) }),
    [{ ms, images }],
  );
};

test('marks are few, in order, end with the newest and span five minutes where there was that much', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 10 * MINUTE_MS }), { minLength: 1, maxLength: 300 }),
      (gaps) => {
        const marks = marksOf(gaps);
        const totalMs = gaps.reduce((a, b) => a + b, 0);
        expect(marks.length).toBeLessThanOrEqual(48);
        expect(marks.at(-1)).toEqual({ ms: totalMs, images: 100 * gaps.length });
        expect(marks.every(({ ms }, i) => i === 0 || ms > marks[i - 1]!.ms)).toBe(true);
        expect(totalMs - marks[0]!.ms).toBeGreaterThanOrEqual(Math.min(totalMs, 5 * MINUTE_MS));
      },
    ),
  );
});

test('a rate that changes is the new one after five minutes of shards', () => {
  const slow = Array.from({ length: 60 }, () => MINUTE_MS);
  const fast = Array.from({ length: 120 }, () => 5_000);
  const marks = marksOf([...slow, ...fast]);
  const [first, last] = [marks[0]!, marks.at(-1)!];
  expect((1000 * (last.images - first.images)) / (last.ms - first.ms)).toBeCloseTo(20, 0);
});

const failed = (code: string, key: string): FailedImage => ({ key, code, source: 's3://b', message: 'm' });

test('the latest failures stay, and the latest of every code', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 }), (codes) => {
      const all = codes.map((code, i) => failed(code, `key-${i}`));
      const sample = all.reduce<FailedImage[]>((kept, one) => withFailure(kept, one, 5), []);
      expect(sample.length).toBe(Math.min(5, all.length));
      expect(sample.at(-1)).toEqual(all.at(-1));
      expect(new Set(sample.map(({ code }) => code))).toEqual(new Set(codes));
    }),
  );
});

test('three keys of each code are examples', () => {
  const examples = Array.from({ length: 9 }, (_, i) => failed(i % 2 ? 'a' : 'b', `key-${i}`)).reduce(
    withExample,
    {},
  );
  expect(examples).toEqual({ a: ['key-1', 'key-3', 'key-5'], b: ['key-0', 'key-2', 'key-4'] });
});
