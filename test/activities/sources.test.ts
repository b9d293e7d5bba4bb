/** What a run plans of several sources, of key lists and of inventories: every object once, in one order. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { runListing } from '../../activities/plan/listing.ts';
import { writePlan, type PlanCursor } from '../../activities/plan/writePlan.ts';
import { deletionsKey, PLAN_INDEX } from '../../data/run/layout.ts';
import {
  decodePlanShard,
  readListing,
  readPlanIndex,
  readPlanShard,
  type PlanEntry,
  type PlanIndex,
} from '../../data/run/plan/plan.ts';
import type { TagSpec } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { putInventory, type InventoryRow } from '../support/inventory.ts';
import { failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

const root = mkdtempSync(join(tmpdir(), 'c2srt-sources-'));
let s3: TestS3;
beforeAll(async () => {
  s3 = await startTestS3();
});
afterAll(async () => {
  await s3.stop();
  rmSync(root, { recursive: true });
});
let serial = 0;
const newOutput = (): ObjectStore => openStore(join(root, `out-${serial++}`));

type Asked = Partial<Pick<TagSpec, 'sources' | 'keys'>> & {
  shardSize?: number;
  from?: PlanCursor;
  since?: ObjectStore;
};

function plan(
  output: ObjectStore,
  { sources = [], keys = [], shardSize = 3, from, since }: Asked,
  report: (cursor: PlanCursor) => void = () => undefined,
): Promise<PlanIndex> {
  const open = (uri: string) => openStore(uri, { env: s3.env });
  const listing = runListing({ sources, keys }, { openStore: open, openSource: open, output });
  return writePlan(listing, output, {
    include: [],
    exclude: [],
    shardSize,
    from,
    since: since && readListing(since),
    report,
  });
}

async function planned(output: ObjectStore): Promise<PlanEntry[]> {
  const index = (await readPlanIndex(output))!;
  const shards = Array.from({ length: index.shards }, (_, shard) => readPlanShard(output, index, shard));
  return (await Promise.all(shards)).flat();
}
const namesOf = (entries: PlanEntry[]) => entries.map(({ source = 0, key }) => `${source} ${key}`);

/** A key list in a folder, as a command would name it. */
async function listOf(text: string, name = `list-${serial++}.jsonl`): Promise<TagSpec['keys'][number]> {
  const store = openStore(root);
  const { etag } = await store.put(name, text);
  return { uri: `${store.uri}/${name}`, etag, copy: null };
}
const prefix = (uri: string) => ({ uri, inventory: null });
const linesOf = (values: unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

describe('several sources', () => {
  it('are planned in the order of source and key, and a lost attempt is gone on from in any of them', async () => {
    const letter = fc.constantFrom('a', 'b', '0', 'é', '\uff5e', '😀', '.');
    const words = fc.uniqueArray(fc.string({ unit: letter, minLength: 1, maxLength: 6 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(words, words, words, fc.nat(8), async (a, b, c, lostAfter) => {
        const at = `p${serial++}`;
        const stores = [`${root}/${at}-a`, `${root}/${at}-b`, `s3://bucket/${at}-c`].map((uri) =>
          openStore(uri, { env: s3.env }),
        );
        for (const [i, keys] of [a, b, c].entries()) {
          await stores[i]!.put('z', '');
          await Promise.all(keys.map((key) => stores[i]!.put(`${key}_`, 'x')));
        }
        const sources = stores.map(({ uri }) => prefix(uri));
        const output = newOutput();
        let cursor: PlanCursor | undefined;
        let reports = 0;
        await plan(output, { sources }, (given) => {
          if (++reports > lostAfter) throw new Error('lost');
          cursor = given;
        }).catch(() => undefined);
        const index = await plan(output, { sources, ...(cursor && { from: cursor }) });
        const expected = [a, b, c].flatMap((keys, source) =>
          [...keys.map((key) => `${key}_`), 'z'].sort(compareUtf8).map((key) => `${source} ${key}`),
        );
        expect(namesOf(await planned(output))).toEqual(expected);
        expect(index.keys).toBe(expected.length);
      }),
      { numRuns: 15 },
    );
  });
});

describe('key lists', () => {
  it('are sorted, duplicates are dropped and counted, wherever a lost attempt stopped', async () => {
    const keys = fc.array(fc.stringMatching(/^[a-c]{1,2}$/), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(keys, fc.nat(6), async (listed, lostAfter) => {
        const list = await listOf(linesOf(listed));
        const asked = { sources: [prefix('file:///images')], keys: [list] };
        const output = newOutput();
        let cursor: PlanCursor | undefined;
        let reports = 0;
        await plan(output, asked, (given) => {
          if (++reports > lostAfter) throw new Error('lost');
          cursor = given;
        }).catch(() => undefined);
        const index = await plan(output, { ...asked, ...(cursor && { from: cursor }) });
        const unique = [...new Set(listed)].sort(compareUtf8);
        expect(namesOf(await planned(output))).toEqual(unique.map((key) => `0 ${key}`));
        expect(index).toMatchObject({ keys: unique.length, duplicates: listed.length - unique.length });
      }),
      { numRuns: 40 },
    );
  });

  it('name objects of several sources; a local one is read from its copy', async () => {
    const sources = ['file:///images', 's3://bucket/a', 's3://bucket/b'].map(prefix);
    const output = newOutput();
    await output.put('_inputs/keys.txt', 's3://bucket/b/x\nfile:///images/p/q\ns3://bucket/a/x\n');
    const copy = { uri: 'file:///not/here/any/more.txt', etag: 'sha', copy: '_inputs/keys.txt' };
    await plan(output, { sources, keys: [copy] });
    expect(namesOf(await planned(output))).toEqual(['0 p/q', '1 x', '2 x']);
  });

  it('in two of which an object stands are refused, with both places', async () => {
    const keys = [await listOf('"a"\n"b"\n', 'one.jsonl'), await listOf('"c"\n"d"\n"b"\n', 'two.jsonl')];
    const failure = await failureOf(plan(newOutput(), { sources: [prefix('s3://bucket')], keys }));
    expect(failure).toMatchObject({ code: 'Usage.OverlappingSources', retryable: false });
    expect(failure.message).toMatch(/"b".*one\.jsonl, line 2 and .*two\.jsonl, line 3/);
  });

  it.each([
    [
      { key: 'a', etag: '1' },
      { key: 'a', etag: '2' },
    ],
    [
      { key: 'a', version_id: '1' },
      { key: 'a', version_id: '2' },
    ],
    [{ key: 'a' }, { key: 'a', version_id: '2' }],
  ])('that contradict themselves are refused: %j, %j', async (...rows) => {
    const keys = [await listOf(linesOf(rows))];
    const failure = await failureOf(plan(newOutput(), { sources: [prefix('s3://bucket')], keys }));
    expect(failure).toMatchObject({ code: 'KeyList.Conflict' });
    expect(failure.message).toMatch(/line 1 and .*line 2/);
  });

  it('that are no more what they were are refused', async () => {
    const list = await listOf('"a"\n');
    const keys = [{ ...list, etag: 'other' }];
    const failure = await failureOf(plan(newOutput(), { sources: [prefix('s3://bucket')], keys }));
    expect(failure).toMatchObject({ code: 'Store.Changed', retryable: false });
  });
});

/** Fields that the first release's plans did not have. */
const unwritten = { duplicates: undefined, archived: undefined };

/** Puts an inventory of the bucket `bucket`, listed by itself, into it; returns it as a source's. */
async function inventoryOf(folder: string, files: InventoryRow[][], format: 'CSV' | 'Parquet' = 'CSV') {
  const store = openStore('s3://bucket', { env: s3.env });
  const report = { bucket: 'bucket', destination: 'bucket', format, files };
  const key = await putInventory(store, folder, report);
  return { uri: `s3://bucket/${key}`, etag: (await store.head(key))!.etag };
}

test('an inventory is sorted, cut to its sources, and its archived objects are marked', async () => {
  const inventory = await inventoryOf('inv-1', [
    [{ key: 'b/2' }, { key: 'a/z y+' }, { key: 'b/1', storageClass: 'GLACIER' }],
    [{ key: 'c' }, { key: 'a/b', size: 5 }, { key: 'b/2' }],
  ]);
  const sources = ['s3://bucket/a', 's3://bucket/b'].map((uri) => ({ uri, inventory }));
  const output = newOutput();
  const index = await plan(output, { sources });
  expect(namesOf(await planned(output))).toEqual(['0 b', '0 z y+', '1 1', '1 2']);
  expect(index).toMatchObject({ keys: 4, duplicates: 1, archived: 1, sizeBytes: 5 });
  expect((await planned(output)).map(({ archived }) => archived)).toEqual([
    undefined,
    undefined,
    true,
    undefined,
  ]);
});

test('an incremental run finds what changed however its sources are listed, and reads plans of the first release', async () => {
  const before = newOutput();
  const images = openStore('s3://bucket/inc', { env: s3.env });
  for (const key of ['gone', 'kept', 'new-bytes']) await images.put(key, `first ${key}`);
  await plan(before, { sources: [prefix(images.uri)] });
  // As it was written before there were several sources.
  await before.put(PLAN_INDEX, JSON.stringify({ ...(await readPlanIndex(before)), ...unwritten }));

  await images.delete(['gone']);
  await images.put('new-bytes', 'second');
  await images.put('added', 'first');
  const rows: InventoryRow[] = [];
  for await (const { key, etag } of images.list()) rows.push({ key: `inc/${key}`, etag });
  const inventory = await inventoryOf('inv-2', [rows.reverse()]);
  const after = newOutput();
  await plan(after, { sources: [{ uri: images.uri, inventory }], since: before });
  expect(namesOf(await planned(after))).toEqual(['0 added', '0 new-bytes']);
  const { body } = await after.get(deletionsKey(0));
  expect(namesOf(decodePlanShard(Buffer.from(body).toString()))).toEqual(['0 gone']);
  const listed: PlanEntry[] = [];
  for await (const entry of readListing(after)) listed.push(entry);
  expect(namesOf(listed)).toEqual(['0 added', '0 kept', '0 new-bytes']);
});

test.each([
  ['CSV', 1_000_000],
  ['Parquet', 250_000],
] as const)(
  'memory does not grow with an inventory in %s: %i keys in no order plan within 100 MB of ten thousand',
  async (format, count) => {
    // Shuffled: a step without a common divisor visits each once. One row in a hundred is a duplicate.
    const rowOf = (i: number): InventoryRow => ({
      key: `photos/${String(((i * 7919) % count) >> 12).padStart(6, '0')}/${String((i * 7919) % count).padStart(9, '0')}-a name of usual length.jpg`,
      size: 100_000 + (i % 1000),
      etag: (i * 2654435761).toString(16).padStart(32, '0'),
    });
    const file = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => from + i).flatMap((i) =>
        i % 100 === 0 ? [rowOf(i), rowOf(i)] : [rowOf(i)],
      );
    const peak = async (keys: number): Promise<number> => {
      const perFile = Math.min(50_000, keys);
      const files = Array.from({ length: keys / perFile }, (_, i) => file(i * perFile, (i + 1) * perFile));
      const { uri, etag } = await inventoryOf(`many-${format}-${keys}`, files, format);
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          ...['--expose-gc', '--max-old-space-size=100', '--max-semi-space-size=4'],
          new URL('./planInventory.ts', import.meta.url).pathname,
          ...[uri, etag, join(root, `many-${format}-${keys}`)],
        ],
        { env: { ...process.env, ...s3.env } },
      );
      const result = JSON.parse(stdout) as Record<'keys' | 'shards' | 'duplicates' | 'peakBytes', number>;
      expect(result).toMatchObject({ keys, shards: keys / 10_000, duplicates: keys / 100 });
      return result.peakBytes;
    };
    const small = await peak(10_000);
    expect((await peak(count)) - small).toBeLessThan(100e6);
  },
  400_000,
);
