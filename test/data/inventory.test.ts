/** S3 Inventory reports, as S3 documents them: CSV with URL-encoded keys, Parquet, versions, archives. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { readInventory, readInventoryEntries } from '../../data/listing/inventory.ts';
import type { ListedEntry } from '../../data/listing/sortEntries.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { putInventory, type InventoryReport } from '../support/inventory.ts';
import { all, failureOf } from '../support/servers/s3.ts';

let dir: string;
let serial = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-inventory-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const options = { source: 0, prefix: '' };
const report = (files: InventoryReport['files'], more: Partial<InventoryReport> = {}): InventoryReport => ({
  bucket: 'photos',
  destination: 'reports',
  format: 'CSV',
  files,
  ...more,
});

/** Reads a report whose destination is a folder; `spoil` may change what was written. */
async function read(
  written: InventoryReport,
  given: Partial<typeof options> = {},
  spoil?: (store: ObjectStore) => Promise<unknown>,
): Promise<ListedEntry[]> {
  const store = openStore(join(dir, String(serial++)));
  const key = await putInventory(store, 'inv', written);
  await spoil?.(store);
  const inventory = await readInventory('s3://reports/manifest.json', store, key);
  expect(inventory).toMatchObject({ bucket: 's3://photos', destination: 's3://reports' });
  return all(readInventoryEntries(inventory, { openStore: () => store, ...options, ...given }));
}

const anyKey = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 60 })
  .filter((key) => key.isWellFormed() && !key.includes('\0'));

test.each(['CSV', 'Parquet'] as const)(
  '%s gives the keys of the bucket, whatever they are',
  async (format) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyKey, { minLength: 1, maxLength: 20 }), async (keys) => {
        const halves = [keys.slice(0, 5), keys.slice(5)].map((some) => some.map((key) => ({ key, size: 7 })));
        const entries = await read(report(halves, { format }));
        expect(entries.map(({ key }) => key)).toEqual(keys);
        expect(entries[0]).toMatchObject({ etag: null, sizeBytes: 7, file: 0, at: 1 });
      }),
      { numRuns: 25 },
    );
    const spaced = ['a+b c%20d=e&f.jpg', 'ä/ß 犬.png', '100%25'];
    const entries = await read(report([spaced.map((key) => ({ key }))], { format }));
    expect(entries.map(({ key }) => key)).toEqual(spaced);
  },
);

test.each(['CSV', 'Parquet'] as const)('%s: current versions, archives, one prefix', async (format) => {
  const rows = [
    { key: 'in/a.jpg', size: 10, etag: 'e1', versionId: 'v2' },
    { key: 'in/a.jpg', size: 9, etag: 'e0', versionId: 'v1', isLatest: false },
    { key: 'in/gone.jpg', versionId: 'v9', isDeleteMarker: true },
    { key: 'in/cold.jpg', versionId: 'v3', storageClass: 'DEEP_ARCHIVE' },
    { key: 'in/tiered.jpg', storageClass: 'INTELLIGENT_TIERING', tier: 'ARCHIVE_ACCESS' },
    { key: 'in/cool.jpg', storageClass: 'GLACIER_IR' },
    { key: 'other/b.jpg' },
    { key: 'in/', size: 0 },
  ];
  const entries = await read(report([rows], { format, versions: true }), { source: 2, prefix: 'in/' });
  const lastModifiedMs = Date.parse('2024-05-07T21:12:55.000Z');
  const none = { source: 2, etag: null, sizeBytes: null, lastModifiedMs, file: 0 };
  expect(entries).toEqual([
    { ...none, key: 'a.jpg', etag: 'e1', sizeBytes: 10, versionId: 'v2', at: 1 },
    { ...none, key: 'cold.jpg', versionId: 'v3', archived: true, at: 4 },
    { ...none, key: 'tiered.jpg', archived: true, at: 5 },
    { ...none, key: 'cool.jpg', at: 6 },
  ]);
});

test('a report of no objects has none', async () => {
  expect(await read(report([]))).toEqual([]);
  expect(await read(report([[]]))).toEqual([]);
});

const line = (key: string, cells = '"1","2024-05-07T21:12:55.000Z","e","STANDARD",""') =>
  `"photos","${key}",${cells}\n`;
it.each<[string, string, RegExp]>([
  [
    'a key that is not URL-encoded',
    line('a') + line('100%'),
    /line 2: Key "100%": expected a URL-encoded key/,
  ],
  ['a key of no bytes', line(''), /line 1: Key "": expected a key of 1 to 1,024 bytes/],
  ['a missing cell', `${line('a')}"photos","b"\n`, /line 2: expected 7 cells \(Bucket, Key, .*\), found 2/],
  ['a size that is none', line('a', '"big","","e","STANDARD",""'), /line 1: Size: expected a whole number/],
  ['an object of another bucket', '"x","a","1","","","",""\n', /line 1: expected an object of bucket photos/],
])('refuses %s', async (_, text, message) => {
  const failure = await failureOf(
    read(report([[]]), {}, (store) => store.put('inv/data/file-0.csv.gz', gzipSync(text))),
  );
  expect(failure).toMatchObject({ code: 'Inventory.Invalid' });
  expect(failure.message).toMatch(message);
  expect(failure.message).toContain('s3://reports/inv/data/file-0.csv.gz');
});

it('refuses a file that is not the one of the manifest', async () => {
  const other = gzipSync(line('other'));
  const failure = await failureOf(
    read(report([[{ key: 'a' }]]), {}, (store) => store.put('inv/data/file-0.csv.gz', other)),
  );
  expect(failure).toMatchObject({ code: 'Inventory.Invalid' });
  expect(failure.message).toMatch(/MD5/);
});

it('refuses ORC by name, and what is no manifest', async () => {
  expect(await failureOf(read(report([], { format: 'ORC' })))).toMatchObject({ code: 'Inventory.Format' });
  const store = openStore(dir);
  await store.put('manifest.json', '{"files": 3}');
  const failure = await failureOf(readInventory('file:///manifest.json', store, 'manifest.json'));
  expect(failure).toMatchObject({ code: 'Inventory.Invalid' });
  expect(failure.message).toMatch(/not the manifest of an S3 Inventory report/);
});
