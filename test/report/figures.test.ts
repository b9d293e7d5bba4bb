/** What reports count and choose, without a page. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { siblingConfusions } from '../../cli/report/model/confusions.ts';
import { labelKey } from '../../cli/report/labels.ts';
import type { ScoredImages } from '../../cli/report/model/scoredImages.ts';
import { thresholdCounts } from '../../cli/report/model/thresholdCounts.ts';
import { reportPage } from '../../cli/report/reportPage.ts';
import { ImageChoice } from '../../cli/report/run/chooseImages.ts';
import { LabelTally } from '../../cli/report/run/labelTally.ts';
import { chooseShards } from '../../cli/report/run/runFigures.ts';
import type { TagRow } from '../../data/parquet/tagRows.ts';
import type { RunManifest } from '../../data/run/runManifest.ts';

const row = (key: string, tags: TagRow['tags']): TagRow => ({
  ...{ key, source: 'file:///images', versionId: null, etag: null, sizeBytes: 1, lastModifiedMs: 0 },
  ...{ width: 10, height: 10, tags },
});

const rowsArbitrary = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 40 })
  .chain((keys) =>
    fc.tuple(
      ...keys.map((key) =>
        fc
          .dictionary(
            fc.constantFrom('a dog', 'b dog', 'a cat', 'b sea'),
            fc.double({ min: -1, max: 1, noNaN: true }),
          )
          .map((scores) =>
            row(
              key,
              Object.entries(scores)
                .map(([of, score]) => {
                  const [vocabulary, label] = of.split(' ') as [string, string];
                  return { vocabulary, label, score, rawScore: null };
                })
                .sort((a, b) => b.score - a.score),
            ),
          ),
      ),
    ),
  );

it('the same images are chosen in whatever order rows come, the best of every label among them', () => {
  fc.assert(
    fc.property(
      rowsArbitrary,
      fc.integer({ min: 0, max: 30 }),
      fc.infiniteStream(fc.nat()),
      (rows, limit, random) => {
        const chosenOf = (given: readonly TagRow[]) => {
          const choice = new ImageChoice(limit);
          for (const one of given) choice.add(one);
          return choice.chosen();
        };
        const chosen = chosenOf(rows);
        const shuffled = rows
          .map((one) => ({ one, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at);
        expect(chosenOf(shuffled.map(({ one }) => one))).toEqual(chosen);
        expect(chosen.length).toBe(Math.min(limit, rows.length));
        expect(new Set(chosen.map(({ key }) => key)).size).toBe(chosen.length);
        if (limit < 6) return;
        for (const key of new Set(rows.flatMap(({ tags }) => tags.map(labelKey)))) {
          const scores = (of: readonly TagRow[]) =>
            of.flatMap(({ tags }) => tags.filter((tag) => labelKey(tag) === key).map(({ score }) => score));
          expect(Math.max(...scores(chosen))).toBe(Math.max(...scores(rows)));
        }
      },
    ),
  );
});

it("a label's bins add up to its tags, within the run's range", () => {
  fc.assert(
    fc.property(rowsArbitrary, (rows) => {
      const tally = new LabelTally();
      for (const one of rows) tally.add(one);
      const { range, labels } = tally.figures();
      expect(new Set(labels.map(labelKey)).size).toBe(labels.length);
      for (const { tags, lowest, highest, bins } of labels) {
        expect(bins.reduce((a, b) => a + b, 0)).toBe(tags);
        expect(lowest).toBeGreaterThanOrEqual(range[0] - 1e-9);
        expect(highest).toBeLessThanOrEqual(range[1] + 1e-9);
      }
      expect(labels.reduce((sum, { tags }) => sum + tags, 0)).toBe(tally.tags);
    }),
  );
});

it('of a large run some shards are read, the same ones every time', () => {
  const parts = Array.from({ length: 100 }, (_, i) => ({
    key: `tags/part-${String(i).padStart(6, '0')}.parquet`,
    rows: 10,
    sizeBytes: 1,
  }));
  const manifest = { parts } as unknown as RunManifest;
  const chosen = chooseShards(manifest, 95);
  expect(chosen).toMatchObject({ rows: 90, tagged: 1000, shards: { length: 9 } });
  expect(chooseShards({ ...manifest, parts: parts.toReversed() }, 95)).toEqual(chosen);
  expect(Math.max(...chosen.shards)).toBeGreaterThan(20);
  expect(chooseShards(manifest, 1).shards).toHaveLength(1);
  expect(chooseShards(manifest, 5000).rows).toBe(1000);
});

/** Three categories and a kind of two of them; unknown labels are in no count. */
const NAMES = ['dog', 'wolf', 'sea', 'canine'];
const scored: ScoredImages = {
  rows: [
    { uri: 'a', present: [0], absent: null },
    { uri: 'b', present: [0], absent: [2] },
    { uri: 'c', present: [0, 1], absent: null },
    { uri: 'd', present: [1], absent: null },
  ],
  scores: Float32Array.from([
    ...[0.2, 0.5, 0.1, 0.9],
    ...[0.2, 0.5, 0.1, 0.9],
    ...[0.2, 0.5, 0.1, 0.9],
    ...[0.2, 0.5, 0.1, 0.9],
  ]),
  of: 4,
};

it('confusions are between siblings, on images that are known to have the one and not the other', () => {
  const edge = { relation: 'is-a', strength: 1 } as const;
  const edges = [
    { ...edge, source: 'dog', target: 'canine' },
    { ...edge, source: 'wolf', target: 'canine' },
    { ...edge, source: 'sea', target: 'canine', relation: 'co-occurrence' as const },
  ];
  expect(siblingConfusions({ edges }, NAMES, scored)).toEqual([
    { present: 0, above: 1, kind: 'canine', images: 1, wrong: 1 },
  ]);
  expect(siblingConfusions({ edges: edges.slice(1) }, NAMES, scored)).toEqual([]);
});

it('counts by score are of known labels', () => {
  const { edges, present, absent } = thresholdCounts(scored, 4, undefined);
  const sum = (bins: number[]) => bins.reduce((a, b) => a + b, 0);
  expect(present.map(sum)).toEqual([3, 2, 0, 0]);
  expect(absent.map(sum)).toEqual([1, 1, 4, 3]);
  // What is at least a bin's lower edge is in it or above.
  const bin = present[0]!.findIndex((count) => count > 0);
  expect(edges[bin]).toBeLessThanOrEqual(Math.fround(0.2) + 1e-6);
  expect(edges[bin + 1]).toBeGreaterThan(0.2);
});

it('a page has as many images, from the first, as its size allows', async () => {
  const image = (i: number) => ({
    ...{ key: `${i}.jpg`, source: 'file:///images', width: 1, height: 1, unshown: null, tags: [] },
    ...{ thumbnail: `data:image/webp;base64,${'A'.repeat(40_000)}`, present: null, grid: null },
  });
  const report = { kind: 'run', title: 'Run', data: {}, names: [], relations: [] } as const;
  const images = Array.from({ length: 20 }, (_, i) => image(i));
  const empty = Buffer.byteLength(await reportPage({ ...report, images: [] }, 1e9));
  const maxBytes = empty + 7.5 * 40_200;
  const page = await reportPage({ ...report, images }, maxBytes);
  expect(Buffer.byteLength(page)).toBeLessThanOrEqual(maxBytes + 1000);
  expect(page.match(/\.jpg/g)).toHaveLength(7);
  expect(page).toContain('"imagesChosen":20');
});
