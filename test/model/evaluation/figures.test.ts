import { expect, it } from 'vitest';
import type { Group, System } from '../../../data/evaluation/systems.ts';
import { figuresOf, type FiguresOptions, type SystemData } from '../../../model/evaluation/figures.ts';
import { RankedPrecision } from '../../../model/evaluation/rankedPrecision.ts';
import { scoredGroups, topHits } from '../../../model/evaluation/topHits.ts';
import { evaluate } from '../../../model/metrics.ts';
import { randomStream } from '../../../data/random.ts';

const IMAGES = 120;
const CATEGORIES = 9;
const TOP_K = [2, 4];
const isSeen = Array.from({ length: CATEGORIES }, (_, c) => c % 3 !== 0);
const groups = scoredGroups(isSeen);

const random = randomStream('figures');
/** Some images have no label, some labels are unknown. */
const labels = Int8Array.from({ length: IMAGES * CATEGORIES }, (_, cell) =>
  Math.floor(cell / CATEGORIES) % 5 === 0 ? -1 : random.uniform() < 0.2 ? 1 : random.uniform() < 0.1 ? 0 : -1,
);
/** Coarse, so that scores tie. */
const scoresOf = (signal: number): Float32Array =>
  Float32Array.from(labels, (label) => Math.round(4 * (random.normal() + signal * label)) / 4);
const matrices: [System, Float32Array][] = [
  ['candidate', scoresOf(0.6)],
  ['production', scoresOf(0.2)],
];

const row = <Values extends Float32Array | Int8Array>(matrix: Values, i: number): Values =>
  matrix.subarray(i * CATEGORIES, (i + 1) * CATEGORIES) as Values;
const column = <Values extends Float32Array | Int8Array>(matrix: Values, c: number): Values =>
  matrix.filter((_, cell) => cell % CATEGORIES === c) as Values;
const present = (i: number): Set<number> =>
  new Set([...row(labels, i).entries()].flatMap(([c, label]) => (label > 0 ? [c] : [])));
const perImage = (value: (i: number) => number): Float64Array =>
  Float64Array.from({ length: IMAGES }, (_, i) => value(i));

const groupData = groups.map(({ name, categories }) => ({
  name,
  categories: categories.length,
  categoriesWithPositives: categories.length,
  positives: perImage((i) => categories.filter((c) => present(i).has(c)).length),
}));

function systemData(scores: Float32Array): Map<Group, SystemData> {
  const ranked = new RankedPrecision(IMAGES);
  return new Map(
    groups.map((group) => {
      const influences = new Float64Array(IMAGES);
      const apSum = group.categories.reduce(
        (sum, c) => sum + ranked.measure(column(scores, c), column(labels, c), influences).ap,
        0,
      );
      const hits = TOP_K.map((_, k) =>
        perImage((i) => topHits(row(scores, i), present(i), group, TOP_K)[k]!),
      );
      return [group.name, { apSum, influences, hits }];
    }),
  );
}

const systems = new Map(matrices.map(([system, scores]) => [system, systemData(scores)]));
const figures = (change: Partial<FiguresOptions> = {}) =>
  figuresOf(groupData, systems, {
    ...{ images: IMAGES, topK: TOP_K, withoutPositives: 'kept', resamples: 300, confidence: 0.9, seed: 1 },
    ...change,
  });

it('gives the figures of the metrics in both protocols, for each group', async () => {
  const { systems: own } = await figures();
  for (const [system, scores] of matrices)
    for (const { name, categories } of groups) {
      const wanted = evaluate(scores, labels, {
        categoryCount: CATEGORIES,
        topK: TOP_K,
        categories: Int32Array.from(categories),
      });
      const { figures: found, otherProtocol } = own.get(system)!.get(name)!;
      expect(found['mAP']!.value).toBeCloseTo(100 * wanted.mAP, 10);
      for (const k of TOP_K) {
        const { f1, precision, recall } = wanted.f1[k]!;
        expect(found[`F1@${k}`]!.value).toBeCloseTo(100 * f1, 10);
        expect(found[`precision@${k}`]!.value).toBeCloseTo(100 * precision, 10);
        expect(found[`recall@${k}`]!.value).toBeCloseTo(100 * recall, 10);
        expect(otherProtocol[`F1@${k}`]!.value).toBeCloseTo(
          100 * wanted.f1DroppingImagesWithoutPositives[k]!.f1,
          10,
        );
      }
    }
  const dropped = await figures({ withoutPositives: 'dropped' });
  const [kept, swapped] = [own, dropped.systems].map((all) => all.get('candidate')!.get('all')!);
  expect(swapped!.figures['F1@2']).toEqual(kept!.otherProtocol['F1@2']);
  expect(swapped!.otherProtocol['F1@2']).toEqual(kept!.figures['F1@2']);
});

it('holds each figure within its interval, wider with more confidence, the same for the same seed', async () => {
  const [first, again, wide, other] = await Promise.all([
    figures(),
    figures(),
    figures({ confidence: 0.99 }),
    figures({ seed: 2 }),
  ]);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  for (const [name, { value, low, high }] of Object.entries(
    first.systems.get('candidate')!.get('all')!.figures,
  )) {
    expect(low, name).toBeLessThan(value);
    expect(high, name).toBeGreaterThan(value);
    const wider = wide.systems.get('candidate')!.get('all')!.figures[name]!;
    expect(wider.high - wider.low, name).toBeGreaterThan(high - low);
  }
});

it('pairs differences: those of a system to itself are none', async () => {
  const { differences } = await figuresOf(
    groupData,
    new Map([...systems, ['clip', systems.get('candidate')!]]),
    { images: IMAGES, topK: TOP_K, withoutPositives: 'kept', resamples: 50, confidence: 0.9, seed: 1 },
  );
  for (const byName of differences.get('clip')!.values())
    for (const figure of Object.values(byName)) expect(figure).toEqual({ value: 0, low: 0, high: 0 });
  const { value, low } = differences.get('production')!.get('all')!['mAP']!;
  expect(low).toBeGreaterThan(0);
  expect(value).toBeGreaterThan(low);
});
