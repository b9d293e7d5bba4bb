import { describe, expect, it, test } from 'vitest';
import { gateRuleSchema, gateSettingsSchema, type GateRule } from '../../../data/config/evaluateSchema.ts';
import type { EvaluationMetrics, Interval } from '../../../data/evaluation/metricsFile.ts';
import { judge } from '../../../model/evaluation/gate.ts';

const at = (value: number, half = 1): Interval => ({ value, low: value - half, high: value + half });

/** An evaluation in which the candidate is `gain` points better than production, within `half`. */
function metrics(gain: number, half: number): EvaluationMetrics {
  const group = (value: number) => ({
    ...{ categories: 4, categoriesWithPositives: 4, otherProtocol: {} },
    figures: { mAP: at(value), 'F1@3': at(value + 2) },
  });
  const system = (value: number) => ({
    ...{ model: 'file:///model', hash: 'a1' },
    groups: { unseen: group(value), all: group(value) },
  });
  const difference = { mAP: at(gain, half), 'F1@3': at(gain, half) };
  return {
    version: 1,
    test: { uri: 'file:///test.jsonl', hash: 'b2', images: 600 },
    validation: null,
    images: 600,
    failed: { images: 0, byCode: {}, named: [] },
    topK: [3],
    withoutPositives: 'kept',
    bootstrap: { resamples: 1000, confidence: 0.95, seed: 0 },
    systems: { candidate: system(30 + gain), production: system(30), clip: system(20) },
    differences: {
      production: { unseen: difference, all: difference },
      clip: { unseen: { mAP: at(10) }, all: { mAP: at(10) } },
    },
    calibration: null,
    withoutCalibration: null,
  };
}

const rule = (change: Partial<GateRule> = {}): GateRule => ({
  ...gateRuleSchema.parse({ metric: 'mAP', tolerance: 0.5 }),
  ...change,
});

describe('by paired bootstrap, the whole interval must not be below the tolerance', () => {
  test.each([
    ['a clear gain', 2, 1, true],
    ['no difference, well known', 0, 0.4, true],
    ['the lower end at the tolerance', 0, 0.5, true],
    ['no difference, badly known', 0, 2, false],
    ['a gain, badly known', 1, 2, false],
    ['a loss within the tolerance, badly known', -0.3, 0.5, false],
    ['a clear loss', -3, 0.5, false],
  ])('%s', (_, gain, half, passed) => {
    const result = judge([rule()], metrics(gain, half));
    expect(result.passed).toBe(passed);
    expect(result.rules[0]).toMatchObject({ passed, figure: gain, bound: -0.5 });
  });

  it('says whether the candidate is worse or the images are too few', () => {
    const [worse] = judge([rule()], metrics(-3, 0.5)).rules;
    expect(worse!.why).toBe(
      'mAP on all categories: 27.00 against 30.00 of production, -3.00 points (-3.50 to -2.50); must not be below -0.50: failed.',
    );
    const [unknown] = judge([rule()], metrics(0.5, 2)).rules;
    // An interval half as wide takes four times the images.
    expect(unknown!.why).toMatch(/600 images do not show it with 95 % confidence \(about 2400 would, /);
  });
});

test('by difference, the figure alone counts', () => {
  const byDifference = rule({ test: 'difference' });
  expect(judge([byDifference], metrics(-0.4, 9)).passed).toBe(true);
  expect(judge([byDifference], metrics(-0.6, 0.1)).passed).toBe(false);
});

test('against a number, the figure must reach it', () => {
  const least = (against: number, change: Partial<GateRule> = {}) =>
    judge([rule({ against, tolerance: 0, ...change })], metrics(0, 1));
  expect(least(29).passed).toBe(true);
  expect(least(29.5).passed).toBe(false);
  expect(least(30, { test: 'difference' }).passed).toBe(true);
  const { rules } = least(31, { test: 'difference' });
  expect(rules[0]).toMatchObject({ figure: 30, bound: 31, passed: false });
  expect(rules[0]!.why).toBe('mAP on all categories: 30.00, must be at least 31.00: failed.');
});

test('all rules must hold, and each is reported', () => {
  const result = judge([rule({ against: 'clip' }), rule({ against: 'production' })], metrics(-3, 0.5));
  expect(result.passed).toBe(false);
  expect(result.rules.map(({ passed }) => passed)).toEqual([true, false]);
});

describe('where there is nothing to judge, a rule passes and says so', () => {
  it.each([
    ['the first model', rule(), /no model is in production/],
    ['a baseline that was left out', rule({ against: 'fixed-k' }), /fixed-k was not evaluated/],
    ['a group that is empty', rule({ categories: 'seen' }), /there are no seen categories/],
  ])('%s', (_, one, why) => {
    const first = metrics(0, 1);
    delete first.differences.production;
    const { passed, rules } = judge([one], first);
    expect(passed).toBe(true);
    expect(rules[0]).toMatchObject({ figure: null, bound: null, interval: null });
    expect(rules[0]!.why).toMatch(why);
  });
});

test('a K that was not evaluated is an error, and rules are read from a configuration', () => {
  expect(() => judge([rule({ metric: 'F1@7' })], metrics(0, 1))).toThrow(
    expect.objectContaining({ code: 'Gate.Figure' }),
  );
  const { rules } = gateSettingsSchema.parse({});
  expect(judge(rules, metrics(0, 0.1)).rules).toHaveLength(2);
  for (const wrong of [{ metric: 'F1@0' }, { metric: 'F1' }, { metric: 'mAP', against: 'nobody' }])
    expect(gateRuleSchema.safeParse(wrong).success).toBe(false);
});
