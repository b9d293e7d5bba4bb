import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bestOf,
  chosenRound,
  isExhausted,
  isValidationDue,
  stepsUntil,
} from '../../workflows/train/trainDecisions.ts';
import { noPace, paceOf } from '../../workflows/train/trainPace.ts';
import { validation } from '../support/servers/trainServer.ts';

/** Validations of rounds in order; few scores, so that many are equal. */
const validations = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 4 }) },
      { weight: 1, arbitrary: fc.constant(NaN) },
    ),
    {
      maxLength: 12,
    },
  )
  .map((scores) => scores.map((score, i) => validation(2 * i, score)));
const plans = fc.record({
  rounds: fc.integer({ min: 1, max: 30 }),
  validateEvery: fc.integer({ min: 1, max: 40 }),
  validationImages: fc.integer({ min: 0, max: 2 }),
});

test('the best round has the highest score, and of equal ones it is the first', () => {
  fc.assert(
    fc.property(validations, (all) => {
      const best = bestOf(all);
      const numbers = all.filter(({ score }) => !Number.isNaN(score));
      const highest = Math.max(...numbers.map(({ score }) => score));
      const expected = numbers.find(({ score }) => score === highest) ?? all[0] ?? null;
      expect(best).toBe(expected);
    }),
  );
});

test('the best round does not depend on the order in which validations are read', () => {
  fc.assert(
    fc.property(
      validations.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      ),
      ([all, shuffled]) => {
        expect(bestOf(shuffled)).toBe(bestOf(all));
        expect(isExhausted(shuffled, 2)).toBe(isExhausted(all, 2));
      },
    ),
  );
});

test('training stops exactly at the first validation that makes `patience` of them without a better one', () => {
  fc.assert(
    fc.property(validations, fc.integer({ min: 1, max: 5 }), (all, patience) => {
      let [highest, since] = [-Infinity, 0];
      for (const [i, { score }] of all.entries()) {
        if (i === 0 || score > highest) [highest, since] = [Number.isNaN(score) ? -Infinity : score, 0];
        else since++;
        expect(isExhausted(all.slice(0, i + 1), patience)).toBe(since >= patience);
      }
      expect(isExhausted(all, null)).toBe(false);
    }),
  );
});

test('the first, every few and the last round are validated, none where nothing is held back', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const due = Array.from({ length: plan.rounds + 1 }, (_, round) => round).filter((round) =>
        isValidationDue(round, plan),
      );
      const isHeldBack = plan.validationImages > 0;
      expect(due[0]).toBe(isHeldBack ? 0 : undefined);
      expect(due.at(-1)).toBe(isHeldBack ? plan.rounds : undefined);
      for (let i = 1; i < due.length; i++)
        expect(due[i]! - due[i - 1]!).toBeLessThanOrEqual(plan.validateEvery);
      for (const round of due.slice(0, -1)) expect(round % plan.validateEvery).toBe(0);
    }),
  );
});

test('the model is of the best round, or of the last where none was validated', () => {
  expect(chosenRound([], 7)).toBe(7);
  expect(chosenRound([validation(0, 3), validation(1, 2)], 7)).toBe(0);
});

test('steps of rounds add up to those of the plan', () => {
  fc.assert(
    fc.property(
      fc.record({
        steps: fc.integer({ min: 1, max: 1000 }),
        localSteps: fc.integer({ min: 1, max: 100 }),
        shards: fc.integer({ min: 1, max: 8 }),
      }),
      (plan) => {
        const rounds = Math.ceil(plan.steps / plan.localSteps);
        expect(stepsUntil(0, plan)).toBe(0);
        expect(stepsUntil(rounds, plan)).toBe(plan.steps * plan.shards);
        for (let round = 1; round <= rounds; round++) {
          const inRound = stepsUntil(round, plan) - stepsUntil(round - 1, plan);
          expect(inRound).toBeGreaterThan(0);
          expect(inRound).toBeLessThanOrEqual(plan.localSteps * plan.shards);
        }
      },
    ),
  );
});

test('the pace counts validations into the time left, not into images per second', () => {
  expect(paceOf(noPace(), 10)).toEqual({ imagesPerSecond: null, etaSeconds: null });
  expect(paceOf({ steps: 20, images: 640, trainMs: 10_000, totalMs: 16_000 }, 30)).toEqual({
    imagesPerSecond: 64,
    etaSeconds: 24,
  });
});
