import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planCalls } from '../../../model/graph/planCalls.ts';
import { shortlister } from '../../../model/graph/shortlist.ts';

const SIZE = 8;
const D = 6;

/** Categories in a space of D dimensions, and their shortlists. */
const world = (count: number, seed: number): { names: string[]; features: Float32Array } => {
  const features = new Float32Array(count * D);
  for (let i = 0; i < count; i++) {
    const row = Array.from({ length: D }, (_, k) => Math.sin(1000 * Math.sin(seed + i * D + k + 1)));
    const length = Math.hypot(...row);
    row.forEach((value, k) => (features[i * D + k] = value / length));
  }
  return { names: Array.from({ length: count }, (_, i) => `c${i}`), features };
};
const shortlistsOf = (count: number, seed: number): Map<number, number[]> => {
  const { names, features } = world(count, seed);
  const of = shortlister(
    names.map((name) => ({ name })),
    features,
    SIZE,
  );
  return new Map(names.map((_, i) => [i, of(i)]));
};
const answersTo = (calls: readonly { category: number; candidates: number[] }[]) => {
  const answered = new Map<number, Set<number>>();
  for (const { category, candidates } of calls)
    answered.set(category, new Set([...(answered.get(category) ?? []), ...candidates]));
  return answered;
};

test('the first time every category is asked about once, with its shortlist', () => {
  const shortlists = shortlistsOf(50, 1);
  const { calls, uncovered } = planCalls(shortlists, new Map(), SIZE);
  expect(calls.map(({ category }) => category)).toEqual([...shortlists.keys()]);
  for (const { category, candidates } of calls)
    expect(new Set(candidates)).toEqual(new Set(shortlists.get(category)));
  expect(uncovered).toBe(0);
});

test('nothing is asked again where nothing is new', () => {
  const shortlists = shortlistsOf(50, 1);
  const { calls } = planCalls(shortlists, new Map(), SIZE);
  expect(planCalls(shortlists, answersTo(calls), SIZE)).toEqual({ calls: [], uncovered: 0 });
});

test('ten categories more than a thousand: ten questions, which cover what the old ones want to know of them', () => {
  const before = planCalls(shortlistsOf(1000, 3), new Map(), SIZE).calls;
  const answered = answersTo(before);
  const shortlists = shortlistsOf(1010, 3);
  const { calls, uncovered } = planCalls(shortlists, answered, SIZE);
  expect(calls.map(({ category }) => category)).toEqual(Array.from({ length: 10 }, (_, i) => 1000 + i));
  for (const { candidates } of calls) expect(candidates.length).toBeLessThanOrEqual(2 * SIZE);
  const wanted = [...shortlists.values()].reduce((sum, { length }) => sum + length, 0);
  expect(uncovered / wanted).toBeLessThan(0.01);
});

test('an answer from quite another vocabulary is not enough: the category is asked about again', () => {
  const shortlists = new Map([
    [0, [1, 2, 3]],
    [1, [0, 2, 3]],
  ]);
  const answered = new Map([
    [0, new Set<number>()],
    [1, new Set([2, 3])],
  ]);
  expect(planCalls(shortlists, answered, SIZE)).toEqual({
    // 1 is then covered by what 0 is asked about.
    calls: [{ category: 0, candidates: [1, 2, 3] }],
    uncovered: 0,
  });
});

test('whatever is answered, at least half of each shortlist is covered, and no category is asked about twice', () => {
  const index = fc.integer({ min: 0, max: 11 });
  const lists = fc
    .array(fc.uniqueArray(index, { maxLength: 6 }), { minLength: 12, maxLength: 12 })
    .map((all) => new Map(all.map((list, i) => [i, list.filter((other) => other !== i)])));
  const known = fc
    .array(fc.tuple(index, fc.uniqueArray(index)), { maxLength: 12 })
    .map((all) => new Map(all.map(([category, others]) => [category, new Set(others)])));
  fc.assert(
    fc.property(lists, known, (shortlists, answered) => {
      const { calls, uncovered } = planCalls(shortlists, answered, SIZE);
      expect(new Set(calls.map(({ category }) => category)).size).toBe(calls.length);
      const covered = answersTo([
        ...[...answered].map(([category, others]) => ({ category, candidates: [...others] })),
        ...calls,
      ]);
      let open = 0;
      for (const [category, shortlist] of shortlists) {
        const missing = shortlist.filter(
          (other) => !covered.get(category)?.has(other) && !covered.get(other)?.has(category),
        );
        expect(missing.length).toBeLessThanOrEqual(shortlist.length / 2);
        open += missing.length;
        if (!answered.has(category)) expect(missing).toEqual([]);
      }
      expect(open).toBe(uncovered);
    }),
  );
});
