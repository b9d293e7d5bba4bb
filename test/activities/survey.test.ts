/** What a dry run goes through: the same objects that a plan would hold, and a fair sample of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { surveyPlan, type Survey } from '../../activities/dryRun/survey.ts';
import type { Listing } from '../../activities/plan/listing.ts';
import type { PlanEntry } from '../../data/run/plan/plan.ts';

const SAMPLE = 10;

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

const survey = (
  entries: readonly PlanEntry[],
  { since, sampleSize = SAMPLE }: { since?: readonly PlanEntry[]; sampleSize?: number } = {},
): Promise<Survey> => {
  const listing: Listing = { entries: () => streamOf(entries.map((entry) => ({ entry, duplicates: 1 }))) };
  return surveyPlan(listing, {
    include: [],
    exclude: ['*.txt'],
    since: since && streamOf(since),
    sourceCount: 2,
    sampleSize,
    report: () => undefined,
  });
};

const entryOf = (at: number, of: Partial<PlanEntry> = {}): PlanEntry => ({
  key: `${String(at).padStart(6, '0')}.jpg`,
  etag: 'e',
  sizeBytes: at,
  lastModifiedMs: 0,
  ...of,
});

const entries = fc
  .array(
    fc.record({
      second: fc.boolean(),
      text: fc.boolean(),
      archived: fc.boolean(),
      sizeBytes: fc.option(fc.nat(1000)),
    }),
    { maxLength: 60 },
  )
  .map((all) => all.toSorted((a, b) => Number(a.second) - Number(b.second)))
  .map((all) =>
    all.map(({ second, text, archived, sizeBytes }, at) =>
      entryOf(at, {
        sizeBytes,
        ...(second && { source: 1 }),
        ...(text && { key: `${String(at).padStart(6, '0')}.txt` }),
        ...(archived && { archived }),
      }),
    ),
  );

test('counts what a plan would hold, by source, and samples images that can be read', async () => {
  await fc.assert(
    fc.asyncProperty(entries, async (all) => {
      const images = all.filter(({ key }) => key.endsWith('.jpg'));
      const found = await survey(all);
      expect(found).toMatchObject({
        excluded: all.length - images.length,
        duplicates: all.length,
        archived: images.filter(({ archived }) => archived).length,
      });
      for (const [source, counts] of found.sources.entries()) {
        const own = images.filter((entry) => (entry.source ?? 0) === source);
        expect(counts).toEqual({
          images: own.length,
          sizeBytes: own.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0),
          unsized: own.filter(({ sizeBytes }) => sizeBytes === null).length,
        });
      }
      const readable = images.filter(({ archived }) => !archived);
      expect(found.sample).toHaveLength(Math.min(SAMPLE, readable.length));
      expect(readable.filter((entry) => found.sample.includes(entry))).toEqual(found.sample);
    }),
  );
});

test('the sample is drawn from the whole listing alike, and the same one again', async () => {
  const all = Array.from({ length: 20_000 }, (_, at) => entryOf(at));
  const { sample } = await survey(all, { sampleSize: 1000 });
  expect((await survey(all, { sampleSize: 1000 })).sample).toEqual(sample);
  const tenths = Map.groupBy(sample, ({ sizeBytes }) => Math.floor(sizeBytes! / 2000));
  // 100 are expected of each tenth, with a standard deviation of 9.5.
  for (let tenth = 0; tenth < 10; tenth++) expect(Math.abs(tenths.get(tenth)!.length - 100)).toBeLessThan(40);
});

test('of an incremental run only what is new or changed is an image', async () => {
  const before = [0, 1, 2, 3].map((at) => entryOf(at));
  const now = [entryOf(1), entryOf(2, { etag: 'other' }), entryOf(3), entryOf(4)];
  const found = await survey(now, { since: before });
  expect(found).toMatchObject({
    unchanged: 2,
    deleted: 1,
    sources: [{ images: 2, sizeBytes: 6 }, { images: 0 }],
  });
  expect(found.sample.map(({ key }) => key)).toEqual([now[1]!.key, now[3]!.key]);
});
