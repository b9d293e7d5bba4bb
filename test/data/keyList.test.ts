/** Key lists: every format names the same objects, and what is malformed is named by file and line. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openKeyList, readKeyList } from '../../data/listing/keyList.ts';
import { objectFinder } from '../../data/listing/objectFinder.ts';
import type { ListedEntry } from '../../data/listing/sortEntries.ts';
import { openStore } from '../../data/store/open.ts';
import { all, failureOf } from '../support/servers/s3.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-keys-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(
  name: string,
  body: Uint8Array | string,
  sources = ['s3://bucket'],
): Promise<ListedEntry[]> {
  const store = openStore(dir);
  await store.put(name, body);
  const list = await openKeyList(`${store.uri}/${name}`, { store, key: name });
  return all(readKeyList(list, { file: 0, find: objectFinder(sources) }));
}
const keysOf = async (...given: Parameters<typeof read>) => (await read(...given)).map(({ key }) => key);

const parquet = (columns: Record<string, unknown[]>): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({ name, data: data as string[] })),
    }),
  );
const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

const anyKey = fc
  .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'binary', minLength: 1 }))
  .filter(
    (key) =>
      key.isWellFormed() &&
      !key.includes('\0') &&
      Buffer.byteLength(key) <= 1024 &&
      !/^(s3|file):\/\//i.test(key) &&
      !key.endsWith('/'),
  );

test('every format gives the keys that were written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyKey, { minLength: 1, maxLength: 20 }), async (keys) => {
      expect(await keysOf('a.csv', `key\n${keys.map(quoted).join('\n')}\n`)).toEqual(keys);
      expect(await keysOf('a.jsonl', keys.map((key) => JSON.stringify({ key })).join('\n'))).toEqual(keys);
      expect(await keysOf('b.ndjson', keys.map((key) => JSON.stringify(key)).join('\n'))).toEqual(keys);
      expect(await keysOf('a.parquet', parquet({ key: keys }))).toEqual(keys);
      // A text line cannot hold its own end.
      const lines = keys.map((key) => key.replace(/[\r\n]/g, '_'));
      expect(await keysOf('a.txt', lines.join('\n'))).toEqual(lines);
      expect(await keysOf('a.txt.gz', gzipSync(`${lines.join('\r\n')}\r\n`))).toEqual(lines);
    }),
    { numRuns: 40 },
  );
});

test('etag, size, version, time and storage class are taken where they are written', async () => {
  const known = {
    key: 'a.jpg',
    etag: 'e1',
    sizeBytes: 12,
    versionId: 'v1',
    lastModifiedMs: Date.parse('2024-01-02T03:04:05Z'),
    archived: true,
    file: 0,
  };
  const head = 'key,etag,size_bytes,version_id,last_modified,storage_class,other';
  const csv = `${head}\na.jpg,"""e1""",12,v1,2024-01-02T03:04:05Z,GLACIER,x\nb.jpg,,,,,STANDARD,\n`;
  const unknown = { key: 'b.jpg', etag: null, sizeBytes: null, lastModifiedMs: null, file: 0 };
  expect(await read('c.csv', csv)).toEqual([
    { ...known, at: 2 },
    { ...unknown, at: 3 },
  ]);
  const fields = {
    key: 'a.jpg',
    etag: 'e1',
    size_bytes: 12,
    version_id: 'v1',
    last_modified: '2024-01-02T03:04:05Z',
    storage_class: 'DEEP_ARCHIVE',
  };
  expect(await read('c.jsonl', `${JSON.stringify(fields)}\n\n{"uri":"s3://bucket/b.jpg"}\n`)).toEqual([
    { ...known, at: 1 },
    { ...unknown, at: 3 },
  ]);
  const columns = {
    uri: ['s3://bucket/a.jpg', 's3://bucket/b.jpg'],
    etag: ['e1', null],
    size_bytes: [12n, null],
    version_id: ['v1', null],
    last_modified: [new Date('2024-01-02T03:04:05Z'), null],
    storage_class: ['GLACIER', 'GLACIER_IR'],
  };
  expect(await read('c.parquet', parquet(columns))).toEqual([
    { ...known, at: 1 },
    { ...unknown, at: 2 },
  ]);
});

describe('a key means what it means in rows', () => {
  it.each([
    [['s3://bucket/photos'], 'photos/a.jpg', undefined, 'a.jpg'],
    [['s3://bucket/a', 's3://bucket/b'], 'b/x.jpg', 1, 'x.jpg'],
    [['s3://bucket/a', 's3://other'], 's3://other/deep/x.jpg', 1, 'deep/x.jpg'],
    [['file:///data/im%20ages'], 'a/b c.jpg', undefined, 'a/b c.jpg'],
    [['file:///data/im%20ages', 's3://bucket'], 'file:///data/im%20ages/a.jpg', undefined, 'a.jpg'],
  ])('in %j: %s', async (sources, name, source, key) => {
    expect(await read('one.txt', name, sources)).toMatchObject([
      { key, ...(source !== undefined && { source }) },
    ]);
  });
});

const long = 'x'.repeat(1025);
it.each<[string, string, string | Uint8Array, RegExp, string[]?]>([
  ['JSON that is none', 'm.jsonl', '{"key":"a"}\n{"key":\n', /m\.jsonl: line 2: not valid JSON/],
  ['a JSON line that names nothing', 'm.jsonl', '"a"\n7\n', /line 2: expected a string, or an object/],
  ['a row without a key', 'm.jsonl', '{"key":null}\n', /line 1: expected a "key" or a "uri", found none/],
  ['a key that is no text', 'm.jsonl', '{"key":5}', /line 1: key: expected a string, found 5/],
  ['an empty key', 'm.csv', 'key,etag\na,\n"",e\n', /line 3: key "" is empty/],
  ['a key with NUL', 'm.jsonl', '"a\\u0000b"', /line 1: key .* NUL/],
  ['half a character', 'm.jsonl', '"a\\ud800b"', /line 1: key .* not valid Unicode/],
  ['a key that is too long', 'm.txt', `a\n${long}\n`, /line 2: key .* longer than 1,024 bytes/],
  ['a line that is not UTF-8', 'm.txt', Buffer.from('a\nb\nc\xe9\n', 'latin1'), /line 3: not valid UTF-8/],
  ['a header without a key', 'm.csv', 'name\na\n', /line 2: expected a header line with a column "key"/],
  ['more cells than columns', 'm.csv', 'key\na\nb,c\n', /line 3 has 2 cells, the header 1/],
  ['a size that is none', 'm.csv', 'key,size_bytes\na,1e3\n', /line 2: size_bytes: expected a whole number/],
  ['a time that is none', 'm.csv', 'key,last_modified\na,soon\n', /line 2: last_modified: expected a time/],
  ['a key outside of the source', 'm.txt', 'raw/a\n', /line 1: key .* not below s3:\/\/b\/x/, ['s3://b/x']],
  ['a URI of another bucket', 'm.txt', 's3://other/a\n', /line 1: uri .* is not below s3:\/\/bucket/],
  [
    'a key of one of two buckets',
    'm.txt',
    'a\n',
    /line 1: key "a" may be in any of/,
    ['s3://a1a', 's3://b1b'],
  ],
  ['a key that no folder has', 'm.txt', 'a/../b\n', /line 1: key .* cannot be a file's/, ['file:///data']],
  ['another ending', 'm.xlsx', 'x', /its ending is none of/],
  ['Parquet without a key', 'm.parquet', parquet({ name: ['a'] }), /column "key"/],
  ['what is no Parquet', 'm.parquet', 'key', /cannot be read as Parquet/],
  ['damaged gzip', 'm.txt.gz', gzipSync('a\n'.repeat(100)).subarray(0, 15), /damaged gzip/],
])('refuses %s', async (_, name, body, message, sources = ['s3://bucket']) => {
  const failure = await failureOf(read(name, body, sources));
  expect(failure).toMatchObject({ code: 'KeyList.Invalid' });
  expect(failure.message).toMatch(message);
  expect(failure.message).toContain(name);
});
