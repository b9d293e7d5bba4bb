import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFailure } from '../../data/failure.ts';
import { canonicalUri, joinUri, openStore } from '../../data/store/open.ts';
import { probeConditionalPuts } from '../../data/store/probe.ts';
import { openRanges } from '../../data/store/ranges.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { all, failureOf, startTestS3 } from '../support/servers/s3.ts';

interface Place {
  uri: string;
  env?: Record<string, string>;
  stop: () => Promise<void>;
}

const places: [string, () => Promise<Place>][] = [
  [
    'a folder',
    async () => {
      const uri = await mkdtemp(join(tmpdir(), 'c2srt-store-'));
      return { uri, stop: () => rm(uri, { recursive: true }) };
    },
  ],
  [
    'an S3 server',
    async () => {
      const server = await startTestS3();
      return { uri: 's3://bucket', env: server.env, stop: server.stop };
    },
  ],
];

describe.each(places)('%s', (_, start) => {
  let place: Place;
  let count = 0;
  beforeAll(async () => {
    place = await start();
  });
  afterAll(() => place.stop());

  /** A store of its own for each test. */
  const fresh = async (keys: Iterable<string> = []): Promise<ObjectStore> => {
    const store = openStore(joinUri(place.uri, `store-${count++}`), {
      ...(place.env === undefined ? {} : { env: place.env }),
      listPageKeys: 4,
      listConcurrency: 3,
    });
    await Promise.all(Array.from(keys, (key) => store.put(key, `content of ${key}`)));
    return store;
  };
  const keysOf = async (store: ObjectStore, options = {}) =>
    (await all(store.list(options))).map(({ key }) => key);

  test('gives back what was put, with one etag from put, get, head and list', async () => {
    const store = await fresh();
    const bytes = Uint8Array.from({ length: 1000 }, (_value, i) => i & 255);
    const { etag } = await store.put('a/b c+d%20.bin', bytes, { contentType: 'application/octet-stream' });
    const { body, info } = await store.get('a/b c+d%20.bin');
    expect(Buffer.from(body).equals(bytes)).toBe(true);
    expect(info).toMatchObject({ key: 'a/b c+d%20.bin', etag, sizeBytes: 1000 });
    expect(etag).not.toMatch(/"/);
    expect(Math.abs(info.lastModifiedMs - Date.now())).toBeLessThan(600_000);
    const head = await store.head('a/b c+d%20.bin');
    expect(head).toMatchObject({ key: 'a/b c+d%20.bin', etag, sizeBytes: 1000 });
    expect(await all(store.list())).toEqual([{ ...head, lastModifiedMs: expect.any(Number) as number }]);
  });

  test('knows empty objects, and text as UTF-8', async () => {
    const store = await fresh();
    await store.put('empty', '');
    await store.put('text', 'grün');
    expect((await store.get('empty')).body).toHaveLength(0);
    expect(Buffer.from((await store.get('text')).body).toString()).toBe('grün');
  });

  test('says what is missing', async () => {
    const store = await fresh(['a/b']);
    const failure = await failureOf(store.get('a/missing'));
    expect(failure).toMatchObject({ code: 'Store.NotFound', retryable: false });
    expect(failure.message).toContain(store.describeKey('a/missing'));
    expect(await store.head('a/missing')).toBeUndefined();
    expect(await store.head('a')).toBeUndefined();
    expect((await failureOf(store.get('a'))).message).toContain(store.describeKey('a'));
    expect(await failureOf(store.copy('a/missing', 'b'))).toMatchObject({ code: 'Store.NotFound' });
  });

  test('refuses bodies over the limit, which is inclusive', async () => {
    const store = await fresh();
    await store.put('ten', '0123456789');
    expect((await store.get('ten', { maxBytes: 10 })).body).toHaveLength(10);
    expect(await failureOf(store.get('ten', { maxBytes: 9 }))).toMatchObject({ code: 'Store.TooLarge' });
  });

  test('reads ranges, whose info is that of the whole', async () => {
    const store = await fresh();
    const bytes = Uint8Array.from({ length: 1000 }, (_value, i) => (i * 7) & 255);
    const { etag } = await store.put('a', bytes);
    for (const [start, end] of [
      [0, 1],
      [10, 500],
      [999, 1000],
      [0, 1000],
    ] as const) {
      const { body, info } = await store.get('a', {
        range: { start, end },
        ifMatch: etag,
        maxBytes: end - start,
      });
      expect(Buffer.from(body).equals(bytes.subarray(start, end))).toBe(true);
      expect(info).toMatchObject({ key: 'a', etag, sizeBytes: 1000 });
    }
    await store.put('a', 'other');
    const gone = store.get('a', { range: { start: 0, end: 3 }, ifMatch: etag });
    expect(await failureOf(gone)).toMatchObject({ code: 'Store.Changed' });
    const parts = await openRanges(store, 'a');
    expect(Buffer.concat(await all(parts.chunks())).toString()).toBe('other');
    expect(Buffer.from(await parts.slice(3, 99)).toString()).toBe('er');
    expect(await failureOf(openRanges(store, 'b'))).toMatchObject({ code: 'Store.NotFound' });
  });

  test('sees that an object changed', async () => {
    const store = await fresh();
    const { etag } = await store.put('a', 'one');
    await store.get('a', { ifMatch: etag });
    const second = await store.put('a', 'two');
    expect(second.etag).not.toBe(etag);
    expect(await failureOf(store.get('a', { ifMatch: etag }))).toMatchObject({ code: 'Store.Changed' });
  });

  test('one of 20 concurrent If-None-Match puts wins, and its content stays', async () => {
    const store = await fresh();
    const contents = Array.from({ length: 20 }, (_value, i) => `attempt ${i}`);
    const results = await Promise.allSettled(
      contents.map((content) => store.put('receipts/0.json', content, { ifNoneMatch: '*' })),
    );
    const winners = contents.filter((_content, i) => results[i]!.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'Store.PreconditionFailed' });
    }
    expect(Buffer.from((await store.get('receipts/0.json')).body).toString()).toBe(winners[0]);
    expect(await keysOf(store)).toEqual(['receipts/0.json']);
  });

  test('If-Match swaps: no increment of 30 is lost between 6 writers', async () => {
    const store = await fresh();
    await store.put('counter', '0');
    const increment = async (): Promise<void> => {
      for (;;) {
        const { body, info } = await store.get('counter');
        const next = String(Number(Buffer.from(body).toString()) + 1);
        try {
          await store.put('counter', next, { ifMatch: info.etag });
          return;
        } catch (error) {
          if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
        }
      }
    };
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let i = 0; i < 5; i++) await increment();
      }),
    );
    expect(Buffer.from((await store.get('counter')).body).toString()).toBe('30');
    expect(await keysOf(store)).toEqual(['counter']);
  });

  test('If-Match refuses an old etag and a missing object', async () => {
    const store = await fresh();
    const { etag } = await store.put('a', 'one');
    await store.put('a', 'three', { ifMatch: etag });
    for (const key of ['a', 'missing']) {
      const failure = await failureOf(store.put(key, 'x', { ifMatch: etag }));
      expect(failure).toMatchObject({ code: 'Store.PreconditionFailed' });
    }
    expect(await store.head('missing')).toBeUndefined();
  });

  test('the probe passes and leaves nothing behind', async () => {
    const store = await fresh();
    await store.put('other', '');
    await probeConditionalPuts(store);
    expect(await keysOf(store)).toEqual(['other']);
  });

  test('copies and deletes', async () => {
    const store = await fresh(['from/a b+c%.txt', 'keep']);
    await store.copy('from/a b+c%.txt', 'to/copy');
    expect(Buffer.from((await store.get('to/copy')).body).toString()).toBe('content of from/a b+c%.txt');
    await store.delete(['from/a b+c%.txt', 'never/there']);
    expect(await keysOf(store)).toEqual(['keep', 'to/copy']);
  });

  test('lists in UTF-8 order where keys and folders interleave', async () => {
    // The order of UTF-16 would put U+1F600 before U+FFFD.
    const keys = [
      'a/',
      'a!',
      'a-1/x',
      'a.b',
      'a.b/c',
      'a/b',
      'a/b/c',
      'a/c',
      'a0',
      'z/\uFFFD',
      'z/\u{1F600}',
      'é',
    ];
    const plain = keys.filter(
      (key) => !key.endsWith('/') && !keys.some((other) => other.startsWith(`${key}/`)),
    );
    const store = await fresh(plain);
    expect(await keysOf(store)).toEqual(plain.toSorted(compareUtf8));
    for (const startAfter of [...plain, 'a', 'a/', 'a/~', 'b', '\u{10FFFF}']) {
      const expected = plain.filter((key) => compareUtf8(key, startAfter) > 0).sort(compareUtf8);
      expect(await keysOf(store, { startAfter })).toEqual(expected);
    }
    for (const prefix of ['a', 'a/', 'a.', 'a/b/', 'z/', 'nothing']) {
      expect(await keysOf(store, { prefix })).toEqual(
        plain.filter((key) => key.startsWith(prefix)).sort(compareUtf8),
      );
    }
    expect(await keysOf(store, { prefix: 'a', startAfter: 'a.b/c' })).toEqual(
      plain.filter((key) => key.startsWith('a') && compareUtf8(key, 'a.b/c') > 0).sort(compareUtf8),
    );
  });

  test('lists any keys as a sort of them would', async () => {
    const segment = fc.constantFrom('a', 'b', 'a.', 'a-', 'a0', '~', 'é', '\u{1F600}', '\uFF5E');
    const key = fc.tuple(fc.array(segment, { maxLength: 3 }), fc.integer({ min: 0, max: 9 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { minLength: 1, maxLength: 40 }),
        fc.option(fc.array(segment, { minLength: 1, maxLength: 3 }), { nil: undefined }),
        async (parts, start) => {
          // Files end in .jpg, so that none stands where another key has a folder.
          const keys = [...new Set(parts.map(([folders, n]) => [...folders, `${n}.jpg`].join('/')))].sort(
            compareUtf8,
          );
          const store = await fresh(keys);
          const startAfter = start?.join('/');
          const expected = keys.filter((one) => startAfter === undefined || compareUtf8(one, startAfter) > 0);
          expect(await keysOf(store, startAfter === undefined ? {} : { startAfter })).toEqual(expected);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('an aborted listing and get end with the reason', async () => {
    const store = await fresh(['a', 'b']);
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    expect(await failureOf(all(store.list({ signal })))).toBe(reason);
    expect(await failureOf(store.get('a', { signal }))).toBe(reason);
  });

  test('a place that does not exist cannot be listed', async () => {
    const uri = place.env === undefined ? joinUri(place.uri, 'missing') : 's3://missing-bucket';
    const store = openStore(uri, place.env === undefined ? {} : { env: place.env });
    expect(await failureOf(all(store.list()))).toMatchObject({ code: 'Store.NoBucket' });
  });

  test('its URI opens it again', async () => {
    const store = await fresh(['x y/ü.txt']);
    expect(canonicalUri(`${store.uri}/`)).toBe(store.uri);
    const below = openStore(joinUri(store.uri, 'x y'), place.env === undefined ? {} : { env: place.env });
    expect(await keysOf(below)).toEqual(['ü.txt']);
  });
});
