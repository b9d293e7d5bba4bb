/** The spool: rows are never lost, and an image is suspected exactly where two lost attempts were at work on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSpool, SpoolWriter, type Outcome, type Outcomes } from '../../activities/tag/spool.ts';
import { tagShard, type ShardProgress } from '../../activities/tag/tagShard.ts';
import { Window } from '../../activities/tag/window.ts';
import type { DecodePool } from '../../data/images/decodePool.ts';
import { Failure } from '../../data/failure.ts';
import { spoolKey } from '../../data/run/layout.ts';
import type { PlanEntry } from '../../data/run/plan/plan.ts';
import { openStore } from '../../data/store/open.ts';
import { plainTagRows } from '../parquet/rows.ts';
import { corpusOf, putCorpus } from '../support/corpus.ts';
import { readRows } from '../support/runs/runRows.ts';
import { failureOf } from '../support/servers/s3.ts';
import {
  attemptOptions,
  brightnessTagger,
  shardContext,
  shardDecoder,
  wrapStore,
} from '../support/runs/shardBench.ts';

let folder: string;
let decoder: DecodePool;
let serial = 0;
const freshStore = () => openStore(join(folder, String(++serial)));
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-spool-'));
  decoder = shardDecoder();
});
afterAll(async () => {
  await decoder.close();
  await rm(folder, { recursive: true, force: true });
});

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    failed: fc.record({
      key: fc.string({ unit: 'grapheme' }),
      source: fc.string(),
      versionId: fc.option(fc.string()),
      etag: fc.option(fc.string()),
      code: fc.constantFrom('Image.Corrupt', 'Store.NotFound'),
      message: fc.string(),
      attempts: fc.integer({ min: 1, max: 9 }),
    }),
  }),
  fc.record({
    tagged: fc
      .record({
        key: fc.string({ unit: 'grapheme' }),
        source: fc.string(),
        versionId: fc.option(fc.string()),
        etag: fc.option(fc.string()),
        sizeBytes: fc.option(fc.nat()),
        lastModifiedMs: fc.option(fc.double({ noNaN: true, min: 0, max: 1e13 }).map((ms) => ms + 0)),
        width: fc.nat(),
        height: fc.nat(),
        tags: fc.array(
          fc.record({
            label: fc.string(),
            score: fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0),
            rawScore: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0)),
            vocabulary: fc.option(fc.string()),
          }),
          { maxLength: 3 },
        ),
        embedding: fc.option(fc.float32Array({ minLength: 2, maxLength: 2 })),
      })
      .map(({ embedding, ...row }) => (embedding ? { ...row, embedding } : row)),
  }),
);

const SHARD = 20;

/** An attempt at the shard: how far it was allowed to work, what it finished, and how it ended. */
const attempts = fc.array(
  fc.record({
    pieces: fc.array(
      fc.record({
        limit: fc.integer({ min: 0, max: SHARD }),
        finished: fc.uniqueArray(fc.nat({ max: SHARD - 1 }), { maxLength: 6 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    end: fc.constantFrom('lost' as const, 'closed' as const, 'closed, but the store was down' as const),
    alone: fc.option(fc.nat({ max: SHARD - 1 })),
  }),
  { minLength: 1, maxLength: 4 },
);

describe('what the spool remembers', () => {
  it('every row of every attempt comes back as it was', async () => {
    const rows = fc.dictionary(fc.nat({ max: SHARD }).map(String), outcomes);
    await fc.assert(
      fc.asyncProperty(fc.array(rows, { minLength: 1, maxLength: 3 }), async (byAttempt) => {
        const output = freshStore();
        const expected = new Map<number, Outcome[]>();
        for (const [i, attempt] of byAttempt.entries()) {
          const writer = new SpoolWriter(output, 7, `attempt-${i}`);
          for (const [at, outcome] of Object.entries(attempt)) {
            writer.add(Number(at), outcome);
            expected.set(Number(at), [...(expected.get(Number(at)) ?? []), outcome]);
            if (Number(at) % 2 === 0) await writer.write(SHARD);
          }
          await writer.close();
        }
        const found = (await readSpool(output, 7)).outcomes;
        expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
        for (const [at, outcome] of found) expect(expected.get(at)).toContainEqual(outcome);
      }),
      { numRuns: 40 },
    );
  });

  it('tags that an earlier release spooled are not known whole, and nobody is suspected for them', async () => {
    const output = freshStore();
    const row = { ...plainTagRows(1, 0, 1)[0]!, tags: [{ label: 'dog', score: 0.5 }] };
    for (const attempt of ['a', 'b'])
      await output.put(spoolKey(7, attempt, 0), JSON.stringify({ rows: [{ at: 0, tagged: row }], limit: 1 }));
    expect(await readSpool(output, 7)).toEqual({
      outcomes: new Map(),
      suspects: new Set(),
      crashers: new Set(),
    });
  });

  it('suspects are what two lost attempts were at work on; who was lost alone is the cause', async () => {
    await fc.assert(
      fc.asyncProperty(attempts, async (history) => {
        const output = freshStore();
        const done: Outcomes = new Map();
        const lostOn = new Map<number, number>();
        const lostAlone = new Set<number>();
        const closed: string[] = [];
        for (const [i, { pieces, end, alone }] of history.entries()) {
          const writer = new SpoolWriter(output, 3, `attempt-${i}`);
          const own = new Set<number>();
          for (const { finished, limit } of pieces) {
            for (const at of finished) {
              const outcome = {
                failed: {
                  key: `k${at}`,
                  source: 's',
                  versionId: null,
                  etag: null,
                  code: 'c',
                  message: '',
                  attempts: 1,
                },
              };
              writer.add(at, outcome);
              done.set(at, outcome);
              own.add(at);
            }
            await writer.write(limit);
          }
          if (alone !== null) await writer.write(0, alone);
          if (end === 'closed') await writer.close();
          else if (end !== 'lost') closed.push(`attempt-${i}`);
          else {
            const working =
              alone === null
                ? Array.from({ length: pieces.at(-1)!.limit }, (_, at) => at).filter((at) => !own.has(at))
                : [alone];
            for (const at of working) lostOn.set(at, (lostOn.get(at) ?? 0) + 1);
            if (alone !== null) lostAlone.add(alone);
          }
        }
        const { outcomes: found, suspects, crashers } = await readSpool(output, 3, closed);
        expect(found).toEqual(done);
        const twice = [...lostOn].filter(([at, times]) => times >= 2 && !done.has(at)).map(([at]) => at);
        expect([...suspects].sort()).toEqual(twice.sort());
        expect([...crashers].sort()).toEqual([...lostAlone].filter((at) => !done.has(at)).sort());
      }),
      { numRuns: 60 },
    );
  });
});

it('the window hands out every position once, in order, and none that was not announced', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat({ max: 5000 }), { maxLength: 600 }),
      fc.integer({ min: 1, max: 8 }),
      async (positions, takers) => {
        const pending = positions.sort((a, b) => a - b);
        const limits: number[] = [];
        const window = new Window(pending, (limit) => {
          limits.push(limit);
          return Promise.resolve();
        });
        const taken: number[] = [];
        const take = async (): Promise<void> => {
          for (let at; (at = await window.take()) !== undefined;) {
            expect(at).toBeLessThan(limits.at(-1)!);
            taken.push(at);
          }
        };
        await Promise.all(Array.from({ length: takers }, take));
        expect(taken).toEqual(pending);
        expect(limits).toEqual([...new Set(limits)].sort((a, b) => a - b));
      },
    ),
    { numRuns: 50 },
  );
});

it('an image that workers are lost on is tried alone, and then recorded as what crashes them', async () => {
  const [source, output] = [freshStore(), freshStore()];
  const expected = await putCorpus(source, 12, 0);
  const run = await shardContext(source, output, decoder);
  const killer = corpusOf(12, 0)[5]!.key;
  let attempt = 0;

  /** An attempt whose process dies on the killer: nothing of it comes back, and it says no more. */
  const tryShard = async (): Promise<'lost' | 'done'> => {
    const dead = Promise.withResolvers<'lost'>();
    const name = `attempt-${++attempt}`;
    const get: typeof source.get = (key, ...rest) => {
      if (key !== killer) return source.get(key, ...rest);
      dead.resolve('lost');
      return new Promise<never>(() => undefined);
    };
    const dying = { ...run, sources: [wrapStore(source, { get })] };
    const work = tagShard(
      dying,
      0,
      attemptOptions(name, { attemptNumber: attempt, tagger: brightnessTagger() }),
    );
    return Promise.race([work.then(() => 'done' as const), dead.promise]);
  };
  // Twice among others, once alone; the fourth attempt is left with nothing but to say so.
  expect([await tryShard(), await tryShard(), await tryShard(), await tryShard()]).toEqual([
    'lost',
    'lost',
    'lost',
    'done',
  ]);
  const { tags, failures } = await readRows(output);
  expect(failures).toMatchObject([{ key: killer, code: 'Image.Crashed', attempts: 4 }]);
  expect(new Set(tags.map(({ key }) => key))).toEqual(
    new Set([...expected.keys()].filter((key) => key !== killer)),
  );
});

it('an image is not blamed for a store that is down while it is tried alone', async () => {
  const [source, output] = [freshStore(), freshStore()];
  const expected = await putCorpus(source, 6, 0);
  const run = await shardContext(source, output, decoder);
  // Two attempts were lost over all six images.
  for (const name of ['one', 'two']) await new SpoolWriter(output, 0, name).write(6);
  const [first] = (await run.planShard(0)) as [PlanEntry];

  let announced = false;
  const down = new Failure('Store.Unavailable', 'down', { retryable: true });
  const put: typeof output.put = (...given) => {
    if (announced) return Promise.reject(down);
    announced = true;
    return output.put(...given);
  };
  const get: typeof source.get = () => Promise.reject(down);
  const reports: ShardProgress[] = [];
  const third = tagShard(
    { ...run, sources: [wrapStore(source, { get })], output: wrapStore(output, { put }) },
    0,
    attemptOptions('three', { attemptNumber: 3, progress: (progress) => reports.push({ ...progress }) }),
  );
  expect(await failureOf(third)).toMatchObject({ code: 'Store.Unavailable' });
  expect(reports.at(-1)).toMatchObject({ closed: ['three'] });
  expect((await readSpool(output, 0)).crashers).toEqual(new Set([0]));

  await tagShard(run, 0, attemptOptions('four', { attemptNumber: 4, closed: reports.at(-1)!.closed }));
  const { tags, failures } = await readRows(output);
  expect(failures).toEqual([]);
  expect(tags[0]!.key).toBe(first.key);
  expect(tags).toHaveLength(expected.size);
});
