import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { storeListing, type Listing } from '../../activities/plan/listing.ts';
import { writePlan, type PlanCursor } from '../../activities/plan/writePlan.ts';
import { deletionsKey } from '../../data/run/layout.ts';
import { keyFilter } from '../../data/run/plan/keyFilter.ts';
import { decodePlanShard, readListing, readPlanIndex, readPlanShard } from '../../data/run/plan/plan.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectInfo, ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';

const root = mkdtempSync(join(tmpdir(), 'c2srt-plan-'));
afterAll(() => rmSync(root, { recursive: true }));
let serial = 0;
const newOutput = (): ObjectStore => openStore(join(root, String(serial++)));

/** A source of these keys, as any store lists them; `failAfter` keys into the listing it breaks off. */
function sourceOf(keys: readonly string[], failAfter = Infinity): Listing {
  const objects = [...keys].sort(compareUtf8).map((key, i): ObjectInfo => ({
    key,
    etag: `e${i}`,
    sizeBytes: key.endsWith('/') ? 0 : 10,
    lastModifiedMs: i,
  }));
  return storeListing({
    async *list({ startAfter } = {}) {
      let given = 0;
      for (const object of objects) {
        if (startAfter !== undefined && compareUtf8(object.key, startAfter) <= 0) continue;
        if (given++ >= failAfter) throw new Error('the listing broke off');
        yield object;
        await Promise.resolve();
      }
    },
  });
}

async function plannedKeys(output: ObjectStore): Promise<string[]> {
  const index = (await readPlanIndex(output))!;
  const shards = await Promise.all(
    Array.from({ length: index.shards }, (_, shard) => readPlanShard(output, index, shard)),
  );
  return shards.flat().map(({ key }) => key);
}

const options = { include: [], exclude: [], shardSize: 3, report: () => undefined };
const keySets = fc.uniqueArray(fc.stringMatching(/^[a-c0/é😀.]{1,8}$/), { maxLength: 30 });

test('plans every key once, in the order of the listing, in shards of the size asked for', async () => {
  await fc.assert(
    fc.asyncProperty(keySets, fc.integer({ min: 1, max: 7 }), async (keys, shardSize) => {
      const output = newOutput();
      const index = await writePlan(sourceOf(keys), output, { ...options, shardSize });
      const images = keys.filter((key) => !key.endsWith('/')).sort(compareUtf8);
      expect(await plannedKeys(output)).toEqual(images);
      expect(index).toMatchObject({
        keys: images.length,
        shards: Math.ceil(images.length / shardSize),
        markers: keys.length - images.length,
        sizeBytes: 10 * images.length,
      });
    }),
    { numRuns: 40 },
  );
});

test('goes on where a lost attempt stopped, and the lost attempt cannot change the plan', async () => {
  await fc.assert(
    fc.asyncProperty(keySets, fc.integer({ min: 0, max: 30 }), async (keys, failAfter) => {
      const output = newOutput();
      const source = sourceOf(keys);
      let cursor: PlanCursor | undefined;
      const report = (given: PlanCursor): void => void (cursor = given);
      await writePlan(sourceOf(keys, failAfter), output, { ...options, report }).catch(() => undefined);
      const index = await writePlan(source, output, { ...options, from: cursor });
      expect(await plannedKeys(output)).toEqual(keys.filter((key) => !key.endsWith('/')).sort(compareUtf8));
      // A zombie that lists something else finds the plan committed.
      expect(await writePlan(sourceOf(['zombie']), output, options)).toEqual(index);
      expect(await plannedKeys(output)).not.toContain('zombie');
    }),
    { numRuns: 40 },
  );
});

test('of two planners at once one plan counts, whole', async () => {
  const output = newOutput();
  const [a, b] = [
    Array.from({ length: 50 }, (_, i) => `a${i}`),
    Array.from({ length: 40 }, (_, i) => `b${i}`),
  ];
  const [first, second] = await Promise.all([
    writePlan(sourceOf(a), output, options),
    writePlan(sourceOf(b), output, options),
  ]);
  expect(first).toEqual(second);
  expect([a, b].map((keys) => [...keys].sort(compareUtf8))).toContainEqual(await plannedKeys(output));
});

test('incremental runs plan what is new or changed, list what is gone, and chain', async () => {
  type State = Record<string, string>;
  const states = fc.array(
    fc.dictionary(fc.stringMatching(/^[a-d/é😀]{1,3}[a-c]$/), fc.constantFrom('1', '2', '3'), {
      maxKeys: 12,
    }),
    { minLength: 2, maxLength: 4 },
  );
  const sourceOfState = (state: State): Listing =>
    storeListing({
      async *list({ startAfter } = {}) {
        for (const key of Object.keys(state).sort(compareUtf8)) {
          if (startAfter === undefined || compareUtf8(key, startAfter) > 0)
            yield { key, etag: state[key]!, sizeBytes: 1, lastModifiedMs: 0 };
          await Promise.resolve();
        }
      },
    });
  await fc.assert(
    fc.asyncProperty(
      states,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (history, shardSize, interrupted) => {
        let since: ObjectStore | undefined;
        let before: State = {};
        for (const state of history) {
          const output = newOutput();
          let from: PlanCursor | undefined;
          if (interrupted) {
            // The first attempt is lost after its first shard.
            const first = {
              ...options,
              since: since && readListing(since),
              shardSize,
              report: (cursor: PlanCursor) => {
                from = cursor;
                throw new Error('lost');
              },
            };
            await writePlan(sourceOfState(state), output, first).catch(() => undefined);
          }
          if (!(await readPlanIndex(output)))
            await writePlan(sourceOfState(state), output, {
              ...options,
              since: since && readListing(since),
              shardSize,
              from,
            });
          const keys = Object.keys(state).sort(compareUtf8);
          expect(await plannedKeys(output)).toEqual(keys.filter((key) => state[key] !== before[key]));
          const listed: string[] = [];
          for await (const { key } of readListing(output)) listed.push(key);
          expect(listed).toEqual(keys);
          const gone: string[] = [];
          for (let shard = 0; shard < ((await readPlanIndex(output))!.since?.deleted.shards ?? 0); shard++) {
            gone.push(
              ...decodePlanShard(Buffer.from((await output.get(deletionsKey(shard))).body).toString()).map(
                ({ key }) => key,
              ),
            );
          }
          expect(gone).toEqual(
            Object.keys(before)
              .filter((key) => !(key in state))
              .sort(compareUtf8),
          );
          [since, before] = [output, state];
        }
      },
    ),
    { numRuns: 60 },
  );
});

// A million entries would need several times the heap that the process is given.
test('memory does not grow with the number of keys: a million plans within 100 MB of ten thousand', async () => {
  const peak = async (count: number): Promise<number> => {
    const script = new URL('./planMany.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      '--max-old-space-size=64',
      '--max-semi-space-size=4',
      script,
      String(count),
      join(root, `many-${count}`),
    ]);
    const { keys, shards, peakBytes } = JSON.parse(stdout) as Record<'keys' | 'shards' | 'peakBytes', number>;
    expect([keys, shards]).toEqual([count, count / 10_000]);
    return peakBytes;
  };
  expect((await peak(1_000_000)) - (await peak(10_000))).toBeLessThan(100e6);
});

describe('globs', () => {
  test.each<[string[], string[], string, boolean]>([
    [[], [], 'any/thing', true],
    [['*.jpg'], [], 'deep/down/a.jpg', true],
    [['*.jpg'], [], 'a.jpg.txt', false],
    [['raw/**'], [], 'raw/2024/a.png', true],
    [['raw/**'], [], 'other/raw/a.png', false],
    [['*.{jpg,png}'], [], 'x/a.png', true],
    [[], ['thumbs/**'], 'thumbs/a.jpg', false],
    [['*.jpg'], ['**/private/**'], 'a/private/b.jpg', false],
    [[], ['.*'], 'a/.hidden.jpg', false],
    [['*.jpg', '*.png'], [], 'a.png', true],
  ])('include %j, exclude %j: %s', (include, exclude, key, taken) => {
    expect(keyFilter(include, exclude)(key)).toBe(taken);
  });
});
