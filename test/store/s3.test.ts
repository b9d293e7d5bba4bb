import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore, type StoreOptions } from '../../data/store/open.ts';
import { probeConditionalPuts } from '../../data/store/probe.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { startFaultyProxy, type Fault, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { startMoto } from '../support/servers/moto.ts';
import { all, failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

let server: TestS3;
beforeAll(async () => {
  server = await startTestS3();
});
afterAll(() => server.stop());

const open = (prefix: string, options: StoreOptions = {}) =>
  openStore(`s3://bucket/${prefix}`, { env: server.env, ...options });
const textOf = async (store: ObjectStore, key: string) => Buffer.from((await store.get(key)).body).toString();
const keysOf = async (store: ObjectStore, options = {}) =>
  (await all(store.list(options))).map(({ key }) => key);
const byUtf8 = (keys: Iterable<string>) => [...keys].sort(compareUtf8);

describe('listing', () => {
  test('pages over more than 1,000 keys', async () => {
    const store = open('pages');
    const keys = Array.from({ length: 1100 }, (_value, i) => `${i % 3}/${i}.jpg`);
    await Promise.all(keys.map((key) => store.put(key, '')));
    expect(await keysOf(store)).toEqual(byUtf8(keys));
    expect(await keysOf(store, { startAfter: '1/500.jpg' })).toEqual(
      byUtf8(keys.filter((key) => compareUtf8(key, '1/500.jpg') > 0)),
    );
  });

  test('in parallel equals plain, whatever the keys', async () => {
    const segment = fc.constantFrom('a', 'b', 'a.', 'a-', 'a0', 'aa', '~', 'é', '\u{1F600}', '\uFF5E');
    const key = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.integer({ min: 0, max: 99 }));
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { minLength: 1, maxLength: 80, size: 'max' }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 2, max: 8 }),
        async (parts, listPageKeys, listConcurrency) => {
          const keys = [...new Set(parts.map(([folders, n]) => [...folders, `${n}.jpg`].join('/')))];
          const prefix = `property-${count++}`;
          const plain = open(prefix, { listConcurrency: 1 });
          await Promise.all(keys.map((one) => plain.put(one, '')));
          const listed = await all(open(prefix, { listPageKeys, listConcurrency }).list());
          expect(listed).toEqual(await all(plain.list()));
          expect(listed.map((object) => object.key)).toEqual(byUtf8(keys));
        },
      ),
      { numRuns: 25 },
    );
  });
});

test.each(['line\nfeed', 'return\rhere', 'tab\there', '\u007f', 'a+b c%20d', '&lt;<>"'])(
  'key %j is listed, read, copied and deleted',
  async (key) => {
    const store = open('characters');
    await store.put(key, 'x');
    expect(await keysOf(store)).toEqual([key]);
    await store.copy(key, `z${key}`);
    expect(await textOf(store, `z${key}`)).toBe('x');
    await store.delete([key, `z${key}`]);
    expect(await keysOf(store)).toEqual([]);
  },
);

test('large bodies go in parts, conditional ones never do', async () => {
  const store = open('large', { multipartBytes: 5 << 20 });
  const body = randomBytes(11 << 20);
  const { etag } = await store.put('parts', body);
  expect(etag).toMatch(/-3$/);
  const got = await store.get('parts');
  expect(body.equals(got.body)).toBe(true);
  expect(got.info.etag).toBe(etag);
  expect((await store.put('whole', body, { ifNoneMatch: '*' })).etag).not.toMatch(/-/);
});

test('wrong and missing credentials are told from each other and from a missing bucket', async () => {
  const env = { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong' };
  expect(await failureOf(openStore('s3://bucket', { env }).get('a'))).toMatchObject({
    code: 'Store.Credentials',
  });
  const noBucket = openStore('s3://no-such-bucket', { env: server.env });
  expect(await failureOf(noBucket.put('a', ''))).toMatchObject({ code: 'Store.NoBucket' });
  const noKey = failureOf(open('x').put('k'.repeat(1100), ''));
  expect(await noKey).toMatchObject({ code: 'Store.InvalidKey' });
});

describe('on a bad network', () => {
  let proxy: FaultyProxy;
  let store: ObjectStore;
  beforeAll(async () => {
    proxy = await startFaultyProxy(server.endpoint);
  });
  afterAll(() => proxy.stop());
  beforeEach(() => {
    proxy.requests = [];
    store = open('network', { endpoint: proxy.endpoint });
  });

  /** The fault for the first `count` requests of a method. */
  const first = (count: number, method: string, fault: Fault) => {
    let left = count;
    proxy.fault = (line) => (line.startsWith(`${method} `) && left-- > 0 ? fault : 'pass');
  };

  test('a put whose answer is lost was made, and says PreconditionFailed when it was conditional', async () => {
    first(1, 'PUT', 'loseAnswer');
    const failure = await failureOf(store.put('receipt', 'attempt 7', { ifNoneMatch: '*' }));
    expect(failure).toMatchObject({ code: 'Store.PreconditionFailed' });
    expect(await textOf(store, 'receipt')).toBe('attempt 7');
    expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(2);
  });

  test('a put whose answer is lost is simply made again when it is unconditional', async () => {
    first(1, 'PUT', 'loseAnswer');
    await store.put('plain', 'x');
    expect(await textOf(store, 'plain')).toBe('x');
  });

  test('a store that is down for a while is waited for', async () => {
    await store.put('there', 'x');
    first(3, 'GET', { status: 503 });
    expect(await textOf(store, 'there')).toBe('x');
    first(2, 'PUT', { status: 500 });
    await store.put('there', 'y', { ifMatch: (await store.head('there'))!.etag });
    expect(await textOf(store, 'there')).toBe('y');
  });

  test('a store that stays down is Unavailable, with the wait it asked for', async () => {
    const impatient = open('network', { endpoint: proxy.endpoint, maxAttempts: 1 });
    proxy.fault = () => ({ status: 503, headers: { 'retry-after': '3' } });
    const expected = { code: 'Store.Unavailable', retryable: true, retryAfterMs: 3000 };
    expect(await failureOf(impatient.get('a'))).toMatchObject(expected);
    expect(await failureOf(impatient.put('a', '', { ifNoneMatch: '*' }))).toMatchObject(expected);
    expect(await failureOf(all(impatient.list()))).toMatchObject(expected);
    expect(await failureOf(impatient.head('a'))).toMatchObject(expected);
  });

  test('a put that conflicts with another is made again', async () => {
    first(2, 'PUT', { status: 409 });
    await store.put('conflict', 'x', { ifNoneMatch: '*' });
    expect(await textOf(store, 'conflict')).toBe('x');
  });

  test('a body that breaks off is fetched again, and again at most', async () => {
    proxy.fault = () => 'pass';
    const body = randomBytes(300_000);
    await store.put('body', body);
    first(2, 'GET', 'breakBody');
    expect(body.equals((await store.get('body')).body)).toBe(true);
    first(100, 'GET', 'breakBody');
    expect(await failureOf(store.get('body'))).toMatchObject({ code: 'Store.Unavailable', retryable: true });
  });

  test('a body over the limit is not read to its end', async () => {
    proxy.fault = () => 'pass';
    await store.put('huge', randomBytes(8 << 20));
    expect(await failureOf(store.get('huge', { maxBytes: 1000 }))).toMatchObject({ code: 'Store.TooLarge' });
    expect(await textOf(store, 'receipt')).toBe('attempt 7');
  });

  test('nobody there is Unavailable', async () => {
    const nobody = open('network', { endpoint: 'http://127.0.0.1:9', maxAttempts: 1 });
    expect(await failureOf(nobody.get('a'))).toMatchObject({ code: 'Store.Unavailable', retryable: true });
  });

  test('the probe refuses a store that ignores conditions', async () => {
    proxy.fault = () => 'pass';
    for (const ignored of ['ifNoneMatch', 'ifMatch'] as const) {
      const ignoring: ObjectStore = Object.create(store, {
        put: {
          value: (key: string, body: string, options: Record<string, string>) =>
            store.put(
              key,
              body,
              Object.fromEntries(Object.entries(options).filter(([name]) => name !== ignored)),
            ),
        },
      }) as ObjectStore;
      for (const method of ['delete', 'list'] as const) {
        Object.defineProperty(ignoring, method, { value: store[method].bind(store) });
      }
      expect(await failureOf(probeConditionalPuts(ignoring))).toMatchObject({
        code: 'Store.ConditionalPutIgnored',
      });
    }
    expect((await keysOf(store)).filter((key) => key.startsWith('_probe'))).toEqual([]);
  });
});

describe.skipIf(moto === undefined)('keys that no file system takes', () => {
  const odd = [
    '/lead',
    'a//b',
    'p/../q',
    './dot',
    '..',
    'folder/',
    'folder/x',
    ' space ',
    'a+b',
    'a%2Bb',
    'a b',
    'tab\there',
    'return\rhere',
    'bell\u0007',
    'del\u007f',
    'quote"\'<&>',
    '\\back\\slash',
    'ü/ñ/漢字/\u{1F600}',
    'a?b#c=d&e',
    '\uFFFF',
    '*~!@$^()[]{}|`;:,',
  ];
  let store: ObjectStore;
  beforeAll(async () => {
    const root = openStore('s3://odd', { env: moto!.env });
    await (root as ObjectStore & { createBucket(): Promise<void> }).createBucket();
    store = openStore('s3://odd/in side', { env: moto!.env, listPageKeys: 3, listConcurrency: 4 });
    for (const key of odd) await store.put(key, `content of ${key}`);
  });

  test('are listed as they are, in order, at any page size', async () => {
    expect(await keysOf(store)).toEqual(byUtf8(odd));
    for (const listPageKeys of [1, 2, 5, 1000]) {
      const other = openStore('s3://odd/in side', { env: moto!.env, listPageKeys });
      expect(await keysOf(other)).toEqual(byUtf8(odd));
    }
    expect(await keysOf(store, { startAfter: 'a b' })).toEqual(
      byUtf8(odd.filter((key) => compareUtf8(key, 'a b') > 0)),
    );
  });

  test.each(odd)('%j is read, copied and deleted', async (key) => {
    expect(await textOf(store, key)).toBe(`content of ${key}`);
    expect((await store.head(key))?.key).toBe(key);
    await store.copy(key, `copy/${key}`);
    expect(await textOf(store, `copy/${key}`)).toBe(`content of ${key}`);
    await store.delete([`copy/${key}`]);
    expect(await store.head(`copy/${key}`)).toBeUndefined();
  });

  test('random keys list as a sort of them', async () => {
    // The one character that moto's routes do not let through.
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 6 })
      .filter((key) => !key.includes('\n'));
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(text, { minLength: 1, maxLength: 12 }), async (keys) => {
        const random = openStore(`s3://odd/random-${count++}`, { env: moto!.env, listPageKeys: 3 });
        for (const key of keys) await random.put(key, '');
        expect(await keysOf(random)).toEqual(byUtf8(keys));
      }),
      { numRuns: 15 },
    );
  });
});
