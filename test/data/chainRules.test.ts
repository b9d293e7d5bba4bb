/** Which runs make a chain, and what a retry plans of one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { retryChanges } from '../../activities/plan/retryChanges.ts';
import { writePlan, type PlanCursor } from '../../activities/plan/writePlan.ts';
import { IMAGE_CODES } from '../../data/images/codes.ts';
import { readChain, readChains } from '../../data/chain/chain.ts';
import { FAILURE_CODES, TRANSIENT_CODES } from '../../data/run/failureCodes.ts';
import { RUN_RECORD, SUCCESS } from '../../data/run/layout.ts';
import { mergeNewest } from '../../data/chain/mergeNewest.ts';
import { readListing, readPlanShard } from '../../data/run/plan.ts';
import { viewRunOf, viewSql } from '../../data/chain/viewSql.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { queryDuckDb } from '../parquet/otherReaders.ts';
import { BAD, runInProcess } from '../support/chainRuns.ts';
import { all, failureOf } from '../support/s3.ts';

const IMAGES = 20;

let root: string;
let source: ObjectStore;
const at = (name: string): ObjectStore => openStore(join(root, name));
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'c2srt-chain-'));
  source = at('images');
  for (let i = 0; i < IMAGES; i++) await source.put(`${i}.jpg`, `${i % 2 ? BAD : ''} ${i}`);
  await runInProcess(source, at('full'), { openStore });
});
afterAll(() => rm(root, { recursive: true, force: true }));

test('every code of an image is told transient or permanent', () => {
  expect(Object.keys(FAILURE_CODES)).toEqual(expect.arrayContaining(Object.keys(IMAGE_CODES)));
  expect(TRANSIENT_CODES).not.toContain('Image.Corrupt');
});

test('of items with one key the newest stream counts, and streams out of order are refused', async () => {
  const keys = fc.uniqueArray(fc.stringMatching(/^[a-cé😀]{1,3}$/), { maxLength: 12 });
  async function* streamOf(of: readonly string[], stream: number) {
    for (const key of of) yield await Promise.resolve({ key, stream });
  }
  await fc.assert(
    fc.asyncProperty(fc.array(keys, { maxLength: 4 }), async (streams) => {
      const sorted = streams.map((of) => of.toSorted(compareUtf8));
      const newest = new Map(sorted.flatMap((of, stream) => of.map((key) => [key, stream] as const)));
      expect(await all(mergeNewest(sorted.map(streamOf)))).toEqual(
        [...newest].map(([key, stream]) => ({ key, stream })).sort((a, b) => compareUtf8(a.key, b.key)),
      );
    }),
  );
  expect(await failureOf(all(mergeNewest([streamOf(['b', 'a'], 0)])))).toMatchObject({
    code: 'Run.Unordered',
  });
});

describe('a retry', () => {
  it('goes on where a lost attempt at its plan stopped', async () => {
    const chain = await readChain(at('full'), openStore);
    const options = {
      include: [],
      exclude: [],
      shardSize: 3,
      retry: (after: string | undefined) => retryChanges(source, chain, { codes: null, after }),
      report: () => undefined,
    };
    const [whole, interrupted] = [at('whole'), at('interrupted')];
    const index = await writePlan(source, whole, options);
    expect(index).toMatchObject({
      keys: IMAGES / 2,
      since: { listing: { keys: IMAGES }, deleted: { keys: 0 } },
    });
    let from: PlanCursor | undefined;
    const lost = (cursor: PlanCursor): void => {
      from = cursor;
      throw new Error('lost');
    };
    await expect(writePlan(source, interrupted, { ...options, report: lost })).rejects.toThrow('lost');
    const second = await writePlan(source, interrupted, { ...options, from });
    expect(second.segments).toHaveLength(2);
    expect(await all(readListing(interrupted))).toEqual(await all(readListing(whole)));
    for (let shard = 0; shard < index.shards; shard++)
      expect(await readPlanShard(interrupted, second, shard)).toEqual(
        await readPlanShard(whole, index, shard),
      );
  });

  it('plans only failures of the codes asked for', async () => {
    const parent = at('full').uri;
    await runInProcess(source, at('none'), {
      openStore,
      spec: { retry: { parent, codes: ['Image.Empty'] } },
    });
    expect((await readChain(at('none'), openStore)).at(-1)!.index.keys).toBe(0);
  });
});

describe('a chain', () => {
  const count = async (...names: string[]): Promise<unknown> => {
    const runs = await readChains(names.map(at), openStore);
    return queryDuckDb(
      '',
      `SELECT count(*)::INT AS keys, count(code)::INT AS failed FROM (${viewSql(runs.map(viewRunOf))})`,
    );
  };

  it('of a run of nothing has no rows', async () => {
    await runInProcess(at('full'), at('empty'), { openStore, spec: { include: ['nothing'] } });
    expect(await count('empty')).toEqual([{ keys: 0, failed: 0 }]);
  });

  it('may have branches, of which those named later count', async () => {
    const since = at('full').uri;
    await source.put('new.jpg', 'new');
    await runInProcess(source, at('since'), { openStore, spec: { since } });
    await source.put('1.jpg', 'no longer bad');
    await runInProcess(source, at('retry'), { openStore, spec: { retry: { parent: since, codes: null } } });
    expect(await count('since')).toEqual([{ keys: IMAGES + 1, failed: IMAGES / 2 }]);
    expect(await count('retry')).toEqual([{ keys: IMAGES, failed: IMAGES / 2 - 1 }]);
    expect(await count('since', 'retry')).toEqual([{ keys: IMAGES + 1, failed: IMAGES / 2 - 1 }]);
  });

  it('is of finished runs of one source, and ends', async () => {
    await at('later').put(RUN_RECORD, (await at('since').get(RUN_RECORD)).body);
    expect(await failureOf(readChain(at('later'), openStore))).toMatchObject({ code: 'Run.Unfinished' });
    expect(await failureOf(readChains([at('full'), at('empty')], openStore))).toMatchObject({
      code: 'Run.Different',
    });
    const record = Buffer.from((await at('since').get(RUN_RECORD)).body).toString();
    const itself = at('circle');
    await at('circle').put(RUN_RECORD, record.replace(at('full').uri, itself.uri));
    await itself.put('_plan/index.json', (await at('since').get('_plan/index.json')).body);
    await itself.put(SUCCESS, '');
    expect(await failureOf(readChain(itself, openStore))).toMatchObject({ code: 'Run.Chain' });
  });
});
