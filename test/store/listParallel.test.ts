import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listParallel, type ListPageOf } from '../../data/store/listParallel.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { all, failureOf } from '../support/servers/s3.ts';

interface Bucket {
  listPage: ListPageOf;
  requests: number;
  mostInFlight: number;
}

/**
 * ListObjectsV2 over keys in memory; answers come in random order. `rollUp` decides what servers differ in: whether a
 * folder that StartAfter lies in is still reported.
 */
function bucketOf(
  keys: string[],
  pageKeys: number,
  rollUp: 'report' | 'skip',
  delay: () => Promise<void>,
): Bucket {
  const sorted = keys.toSorted(compareUtf8);
  let inFlight = 0;
  const bucket: Bucket = {
    requests: 0,
    mostInFlight: 0,
    listPage: async ({ prefix, startAfter, delimiter, continuationToken }) => {
      bucket.requests++;
      bucket.mostInFlight = Math.max(bucket.mostInFlight, ++inFlight);
      await delay();
      inFlight--;
      const entries = new Map<string, boolean>();
      for (const key of sorted) {
        if (!key.startsWith(prefix)) continue;
        if (startAfter !== undefined && compareUtf8(key, startAfter) <= 0) continue;
        const slash = delimiter === undefined ? -1 : key.indexOf('/', prefix.length);
        const entry = slash === -1 ? key : key.slice(0, slash + 1);
        if (slash !== -1 && rollUp === 'skip' && startAfter?.startsWith(entry) === true) continue;
        if (continuationToken !== undefined && compareUtf8(entry, continuationToken) <= 0) continue;
        entries.set(entry, slash !== -1);
      }
      const page = [...entries].slice(0, pageKeys);
      return {
        objects: page
          .filter(([, isFolder]) => !isFolder)
          .map(([key]) => ({ key, etag: '', sizeBytes: 0, lastModifiedMs: 0 })),
        commonPrefixes: page.filter(([, isFolder]) => isFolder).map(([key]) => key),
        ...(entries.size > pageKeys ? { continuationToken: page.at(-1)![0] } : {}),
      };
    },
  };
  return bucket;
}

const atOnce = () => Promise.resolve();
const segment = fc.constantFrom(
  'a',
  'b',
  'ab',
  'a.',
  'a-',
  'a0',
  '',
  '~',
  '\u{10FFFF}',
  '\u{1F600}',
  '\uFF5E',
);
const key = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

test('gives any keys in order, each once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.uniqueArray(key, { maxLength: 120, size: 'max' }),
      fc.record({
        prefix: fc.constantFrom('', 'a', 'a/', 'b/a', '~/'),
        startAfter: fc.option(key, { nil: undefined }),
        pageKeys: fc.integer({ min: 1, max: 12 }),
        concurrency: fc.integer({ min: 1, max: 6 }),
        rollUp: fc.constantFrom('report' as const, 'skip' as const),
      }),
      async (scheduler, keys, { prefix, startAfter, pageKeys, concurrency, rollUp }) => {
        const bucket = bucketOf(keys, pageKeys, rollUp, () => scheduler.schedule(Promise.resolve()));
        const listing = all(
          listParallel(bucket.listPage, {
            prefix,
            ...(startAfter === undefined ? {} : { startAfter }),
            concurrency,
            maxPagesAhead: concurrency * 2,
            pageKeys,
          }),
        );
        const listed = await scheduler.waitFor(listing);
        const expected = keys
          .filter(
            (one) => one.startsWith(prefix) && (startAfter === undefined || compareUtf8(one, startAfter) > 0),
          )
          .sort(compareUtf8);
        expect(listed.map((object) => object.key)).toEqual(expected);
        expect(bucket.mostInFlight).toBeLessThanOrEqual(concurrency);
      },
    ),
    { numRuns: 600 },
  );
});

describe('requests', () => {
  const shapes: Record<string, string[]> = {
    'one flat folder': Array.from({ length: 5000 }, (_, i) => `flat/${i}.jpg`),
    'many folders of one key': Array.from({ length: 5000 }, (_, i) => `tiny/${i}/x.jpg`),
    'some large folders': Array.from({ length: 5000 }, (_, i) => `large/${i % 10}/${i}.jpg`),
    'folders by date': Array.from(
      { length: 5000 },
      (_, i) => `20${10 + (i % 10)}/${i % 12}/${i % 28}/${i}.jpg`,
    ),
    'files among folders': Array.from({ length: 5000 }, (_, i) =>
      i % 2 === 0 ? `mixed/${i}.jpg` : `mixed/${i}/x`,
    ),
  };
  test.each(Object.entries(shapes))('%s: hardly more than a plain listing takes', async (_name, keys) => {
    const bucket = bucketOf(keys, 50, 'report', atOnce);
    const options = { prefix: '', concurrency: 8, maxPagesAhead: 32, pageKeys: 50 };
    expect(await all(listParallel(bucket.listPage, options))).toHaveLength(5000);
    expect(bucket.requests).toBeLessThan(2.5 * (5000 / 50));
  });

  test('stop a bounded number of pages ahead of the reader', async () => {
    const bucket = bucketOf(shapes['folders by date']!, 10, 'report', atOnce);
    const options = { prefix: '', concurrency: 4, maxPagesAhead: 12, pageKeys: 10 };
    const listing = listParallel(bucket.listPage, options);
    for (let i = 0; i < 200; i++) await listing.next();
    const before = bucket.requests;
    // Every answer is there at once, so whatever would be asked has been asked after this.
    for (let i = 0; i < 1000; i++) await Promise.resolve();
    expect(bucket.requests - before).toBeLessThanOrEqual(12);
    await listing.return();
    const stopped = bucket.requests;
    for (let i = 0; i < 1000; i++) await Promise.resolve();
    expect(bucket.requests - stopped).toBe(0);
  });

  test('run side by side where there are folders', async () => {
    const bucket = bucketOf(shapes['some large folders']!, 50, 'report', atOnce);
    await all(listParallel(bucket.listPage, { prefix: '', concurrency: 8, maxPagesAhead: 32, pageKeys: 50 }));
    expect(bucket.mostInFlight).toBe(8);
  });
});

test('a folder that holds nearly everything is cut at its own folders, however unequal', async () => {
  const keys = Array.from({ length: 6000 }, (_, i) => {
    if (i % 20 === 0) return `small-${i % 7}/${i}.jpg`;
    const folder = i % 3 === 0 ? 'half' : String(i % 23);
    return `huge/${folder}/${folder === 'half' ? `${i % 11}/` : ''}${i}.jpg`;
  });
  let rounds = 0;
  let round: Promise<void> | undefined;
  // All requests that wait are answered together.
  const delay = () =>
    (round ??= new Promise((answer) => {
      setImmediate(() => {
        round = undefined;
        rounds++;
        answer();
      });
    }));
  const bucket = bucketOf(keys, 50, 'report', delay);
  const options = { prefix: '', concurrency: 8, maxPagesAhead: 32, pageKeys: 50 };
  expect(await all(listParallel(bucket.listPage, options))).toHaveLength(6000);
  expect(bucket.requests).toBeLessThan(2.5 * (6000 / 50));
  expect(bucket.requests / rounds).toBeGreaterThan(4);
});

test('an error is thrown where its keys would be, after all before it', async () => {
  const keys = Array.from({ length: 300 }, (_, i) => `${String(i % 10)}/${i}.jpg`);
  const bucket = bucketOf(keys, 10, 'report', atOnce);
  const failing: ListPageOf = async (request) => {
    if (request.prefix.startsWith('7/') && request.delimiter === undefined) throw new Error('no answer');
    return await bucket.listPage(request);
  };
  const listed: string[] = [];
  const read = async () => {
    const options = { prefix: '', concurrency: 4, maxPagesAhead: 16, pageKeys: 10 };
    for await (const object of listParallel(failing, options)) listed.push(object.key);
  };
  expect((await failureOf(read())).message).toBe('no answer');
  expect(listed).toEqual(keys.toSorted(compareUtf8).slice(0, listed.length));
  expect(listed.length).toBeGreaterThanOrEqual(keys.filter((one) => one < '7').length);
  expect(listed.length).toBeLessThan(keys.length);
});
