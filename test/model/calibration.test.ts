import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyCalibration, parseCalibration, type Calibration } from '../../model/calibration.ts';
import { DEFAULT_TOP_K, decideTags, tagDecision, type TagDecisionOptions } from '../../model/tagDecision.ts';

const probability = fc.double({ min: 0, max: 1, noNaN: true });
const cosine = fc.float({ min: -1, max: 1, noNaN: true });

const knots = fc
  .uniqueArray(fc.tuple(probability, probability), { minLength: 1, maxLength: 8, selector: ([x]) => x })
  .map((pairs) => {
    const ys = pairs.map(([, y]) => y).sort((a, b) => a - b);
    return pairs
      .map(([x]) => x)
      .sort((a, b) => a - b)
      .map((x, i): [number, number] => [x, ys[i]!]);
  });

const calibration = (names: readonly string[] = []): fc.Arbitrary<Calibration> =>
  fc
    .record({
      slope: fc.double({ min: 1e-3, max: 1e4, noNaN: true }),
      intercept: fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      knots: fc.option(knots),
      fallbackThreshold: probability,
      thresholds: fc.dictionary(fc.constantFrom('-', ...names), probability),
    })
    .map(({ knots: given, ...rest }) => ({
      version: 1,
      ...rest,
      thresholds: { ...rest.thresholds },
      ...(given !== null && { knots: given }),
    }));

const PLATT: Calibration = {
  version: 1,
  slope: 10,
  intercept: -2,
  thresholds: { dog: 0.25 },
  fallbackThreshold: 0.5,
};

describe('applyCalibration', () => {
  it('is logistic without knots', () => {
    expect(applyCalibration(0.2, PLATT)).toBe(0.5);
    expect(applyCalibration(0.3, PLATT)).toBe(Math.fround(1 / (1 + Math.exp(-1))));
  });

  it('joins the knots, level outside them', () => {
    const withKnots: Calibration = {
      ...PLATT,
      knots: [
        [0.4, 0.1],
        [0.6, 0.9],
      ],
    };
    expect(applyCalibration(0.2, withKnots)).toBe(Math.fround(0.5));
    expect(applyCalibration(-1, withKnots)).toBe(Math.fround(0.1));
    expect(applyCalibration(1, withKnots)).toBe(Math.fround(0.9));
  });

  it('is a float32 in [0, 1] that never falls', () => {
    fc.assert(
      fc.property(calibration(), fc.array(cosine, { minLength: 2, maxLength: 50 }), (map, scores) => {
        const float = new Float32Array(1);
        const near = scores.flatMap((score) => {
          float[0] = score;
          new Int32Array(float.buffer)[0]!++;
          return [score, float[0]];
        });
        const written = near.sort((a, b) => a - b).map((score) => applyCalibration(score, map));
        for (const [i, score] of written.entries()) {
          expect(score).toBe(Math.fround(score));
          expect(score).toBeGreaterThanOrEqual(i === 0 ? 0 : written[i - 1]!);
          expect(score).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('parseCalibration', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(calibration(['dog', 'cat']), (map) => {
        const text = JSON.stringify(map);
        expect(parseCalibration(text, 'calibration.json')).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['{', /calibration\.json is not a calibration/],
    [JSON.stringify({ ...PLATT, version: 2 }), /version/],
    [JSON.stringify({ ...PLATT, slope: 0 }), /slope/],
    [JSON.stringify({ ...PLATT, fallbackThreshold: 1.5 }), /fallbackThreshold/],
    [JSON.stringify({ ...PLATT, thresholds: { dog: -1 } }), /thresholds\.dog/],
    [
      JSON.stringify({
        ...PLATT,
        knots: [
          [0.5, 0.5],
          [0.5, 0.6],
        ],
      }),
      /knots: must rise/,
    ],
    [
      JSON.stringify({
        ...PLATT,
        knots: [
          [0.4, 0.5],
          [0.5, 0.4],
        ],
      }),
      /knots: must rise/,
    ],
    [JSON.stringify({ ...PLATT, knots: [] }), /knots/],
  ])('refuses %s', (text, message) => {
    expect(() => parseCalibration(text, 'calibration.json')).toThrow(
      expect.objectContaining({
        code: 'Model.Calibration',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });
});

const decide = (scores: number[], options: TagDecisionOptions): [string, number][] =>
  decideTags(Float32Array.from(scores), tagDecision(options)).map(({ label, score }) => [label, score]);

const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));

describe('decideTags', () => {
  const many = Array.from({ length: 25 }, (_, i) => `c${i}`);

  it('takes the top 10 by raw score where nothing else decides', () => {
    const scores = many.map((_, i) => (i % 2 === 0 ? -i : i) / 100);
    const tags = decide(scores, { categories: named(...many) });
    expect(tags.length).toBe(DEFAULT_TOP_K);
    expect(tags[0]).toEqual(['c23', Math.fround(0.23)]);
    expect(tags[9]).toEqual(['c5', Math.fround(0.05)]);
  });

  it('takes the calibrated scores that reach their thresholds', () => {
    const categories = named('cat', 'dog', 'wolf', 'sheep');
    const tags = decide([0.15, 0.15, 0.2, 0.9], { categories, calibration: PLATT });
    const raw = Math.fround(0.15);
    expect(tags).toEqual([
      ['sheep', Math.fround(1 / (1 + Math.exp(-(10 * Math.fround(0.9) - 2))))],
      ['wolf', 0.5],
      ['dog', Math.fround(1 / (1 + Math.exp(-(10 * raw - 2))))],
    ]);
  });

  it('lets a topK replace the thresholds of the calibration, and still writes calibrated scores', () => {
    const tags = decide([-1, -0.9, 0.5], { categories: named('a', 'b', 'c'), calibration: PLATT, topK: 2 });
    expect(tags.map(([label]) => label)).toEqual(['c', 'b']);
    expect(tags[1]![1]).toBe(applyCalibration(Math.fround(-0.9), PLATT));
  });

  it('applies both topK and threshold where both are given', () => {
    const options = { categories: named('a', 'b', 'c', 'd'), topK: 2, threshold: 0.5 };
    expect(decide([0.6, 0.5, 0.7, 0.1], options).map(([label]) => label)).toEqual(['c', 'a']);
    expect(decide([0.4, 0.5, 0.3, 0.1], options).map(([label]) => label)).toEqual(['b']);
  });

  it('sets no limit beside a threshold', () => {
    const options = { categories: named(...many), threshold: 0 };
    expect(
      decide(
        many.map(() => 0),
        options,
      ).map(([label]) => label),
    ).toEqual(many);
  });

  it("lets a category's own threshold override the calibration's, and the option both", () => {
    const categories = [{ name: 'dog', threshold: 0.9 }, { name: 'cat', threshold: 0.1 }, { name: 'wolf' }];
    const labels = (more: object): string[] =>
      decide([0.2, 0.1, 0.1], { categories, calibration: PLATT, ...more }).map(([label]) => label);
    expect(labels({})).toEqual(['cat']);
    expect(labels({ threshold: 0.2 })).toEqual(['dog', 'cat', 'wolf']);
    expect(labels({ topK: 3 })).toEqual(['cat', 'wolf']);
  });

  it("decides by the categories' own thresholds alone where all have one", () => {
    const own = many.map((name) => ({ name, threshold: 0.5 }));
    expect(
      decide(
        many.map(() => 0.5),
        { categories: own },
      ).length,
    ).toBe(25);
    expect(
      decide(
        many.map(() => 0.5),
        { categories: [{ name: 'c0' }, ...own.slice(1)] },
      ).length,
    ).toBe(10);
  });

  it('compares the written number: a float32 below the threshold is below', () => {
    expect(Math.fround(0.7)).toBeLessThan(0.7);
    expect(decide([0.7, 0.1], { categories: named('a', 'b'), threshold: 0.7 })).toEqual([]);
    expect(decide([0.7, 0.1], { categories: named('a', 'b'), threshold: Math.fround(0.7) })).toHaveLength(1);
  });

  it('refuses scores that are not finite, by name', () => {
    const categories = named('a', 'b');
    for (const score of [NaN, Infinity])
      expect(() => decide([0, score], { categories })).toThrow(
        expect.objectContaining({
          code: 'Model.NotFinite',
          message: expect.stringMatching(/"b"/) as string,
        }) as Error,
      );
  });

  it('has no tags for no categories', () => {
    expect(decide([], { categories: [] })).toEqual([]);
  });

  it('is the plain definition: calibrate all, sort all, filter, cut', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const options = fc.record({
      own: fc.array(fc.option(probability), { minLength: 6, maxLength: 6 }),
      calibration: fc.option(calibration(names)),
      topK: fc.option(fc.integer({ min: 1, max: 8 })),
      threshold: fc.option(fc.oneof(probability, cosine)),
    });
    const scores = fc.array(fc.oneof(cosine, fc.constantFrom(0, 0.25, -0.25)), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(scores, options, (raw, { own, calibration: map, topK, threshold }) => {
        const rows = names.map((name, i) => {
          const calibrated = map && topK === null ? (map.thresholds[name] ?? map.fallbackThreshold) : null;
          return {
            ...{
              label: name,
              index: i,
              raw: raw[i]!,
              minimum: threshold ?? own[i] ?? calibrated ?? -Infinity,
            },
            score: map === null ? raw[i]! : applyCalibration(raw[i]!, map),
          };
        });
        const expected = rows
          .filter(({ score, minimum }) => score >= minimum)
          .sort((a, b) => b.raw - a.raw || a.index - b.index)
          .slice(0, topK ?? DEFAULT_TOP_K)
          .map(({ label, score }) => [label, score]);
        const found = decide(raw, {
          categories: names.map((name, i) => ({ name, ...(own[i] != null && { threshold: own[i] }) })),
          ...(map !== null && { calibration: map }),
          ...(topK !== null && { topK }),
          ...(threshold !== null && { threshold }),
        });
        expect(found).toEqual(expected);
        for (const [i, [, score]] of found.entries())
          if (i > 0) expect(score).toBeLessThanOrEqual(found[i - 1]![1]);
      }),
      { numRuns: 1000 },
    );
  });
});
