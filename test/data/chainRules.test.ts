/** Which runs make a chain, and what a retry plans of one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { retryChanges } from '../../activities/plan/retryChanges.ts';
import { storeListing } from '../../activities/plan/listing.ts';
import { writePlan, type PlanCursor } from '../../activities/plan/writePlan.ts';
import { IMAGE_CODES } from '../../data/images/codes.ts';
import { readChain, readChains } from '../../data/chain/chain.ts';
import { FAILURE_CODES, TRANSIENT_CODES } from '../../data/run/failureCodes.ts';
import { PART_KINDS, partKey, RUN_RECORD, SUCCESS } from '../../data/run/layout.ts';
import type { Position } from '../../data/run/plan/entryOrder.ts';
import { mergeNewest } from '../../data/chain/mergeNewest.ts';
import { readListing, readPlanShard } from '../../data/run/plan/plan.ts';
import type { RunRecord, TagSpec } from '../../data/run/record.ts';
import { readJson } from '../../data/store/json.ts';
import { currentRows } from '../../data/chain/currentRows.ts';
import { rowsSql, viewRunOf, viewSql } from '../../data/chain/viewSql.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { queryDuckDb } from '../parquet/otherReaders.ts';
import { BAD, runInProcess } from '../support/runs/chainRuns.ts';
import { all, failureOf } from '../support/servers/s3.ts';

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
    for (const key of of) yield await Promise.resolve({ source: 's', key, stream });
  }
  await fc.assert(
    fc.asyncProperty(fc.array(keys, { maxLength: 4 }), async (streams) => {
      const sorted = streams.map((of) => of.toSorted(compareUtf8));
      const newest = new Map(sorted.flatMap((of, stream) => of.map((key) => [key, stream] as const)));
      expect(await all(mergeNewest(sorted.map(streamOf)))).toEqual(
        [...newest]
          .map(([key, stream]) => ({ source: 's', key, stream }))
          .sort((a, b) => compareUtf8(a.key, b.key)),
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
      retry: (after: Position | undefined) => retryChanges([source], chain, { codes: null, after }),
      report: () => undefined,
    };
    const [whole, interrupted] = [at('whole'), at('interrupted')];
    const index = await writePlan(storeListing(source), whole, options);
    expect(index).toMatchObject({
      keys: IMAGES / 2,
      since: { listing: { keys: IMAGES }, deleted: { keys: 0 } },
    });
    let from: PlanCursor | undefined;
    const lost = (cursor: PlanCursor): void => {
      from = cursor;
      throw new Error('lost');
    };
    await expect(writePlan(storeListing(source), interrupted, { ...options, report: lost })).rejects.toThrow(
      'lost',
    );
    const second = await writePlan(storeListing(source), interrupted, { ...options, from });
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

  it('keeps what a run of it did not look for, and the next one that does compares with that', async () => {
    const images = at('globs/images');
    for (const key of ['a.png', 'b.png', 'c.png', 'd.jpg']) await images.put(key, key);
    await images.put('bad.png', BAD);
    const run = (name: string, spec: Partial<TagSpec>): Promise<void> =>
      runInProcess(images, at(`globs/${name}`), { openStore, spec });
    const uri = (name: string): string => at(`globs/${name}`).uri;
    await run('first', {});
    await images.delete(['a.png', 'd.jpg']);
    await images.put('b.png', 'other');
    await run('jpg', { since: uri('first'), include: ['*.jpg'] });
    expect(await count('globs/jpg')).toEqual([{ keys: 4, failed: 1 }]);
    await images.put('bad.png', 'good now');
    await run('retry', { retry: { parent: uri('jpg'), codes: null }, include: ['*.jpg'] });
    expect(await count('globs/retry')).toEqual([{ keys: 4, failed: 0 }]);
    await run('all', { since: uri('retry') });
    expect((await readChain(at('globs/all'), openStore)).at(-1)!.index).toMatchObject({
      keys: 1,
      since: { listing: { keys: 3 }, deleted: { keys: 1 } },
    });
    expect(await count('globs/all')).toEqual([{ keys: 3, failed: 0 }]);
  });

  it('may start with a run of a release whose rows did not name their source', async () => {
    const [images, more] = [at('old/images'), at('old/Images')];
    for (let i = 0; i < 8; i++) await images.put(`${i}.jpg`, `${i % 2 ? BAD : ''} ${i}`);
    await runInProcess(images, at('old/full'), { openStore });
    await asFirstRelease(at('old/full'), images);
    await images.delete(['0.jpg']);
    await images.put('1.jpg', 'good');
    await images.put('2.jpg', 'other');
    for (const key of ['2.jpg', '3.jpg']) await more.put(key, key);
    const since = { since: at('old/full').uri };
    await runInProcess([images, more], at('old/since'), { openStore, spec: since });
    await images.put('3.jpg', 'good too');
    const retry = { retry: { parent: at('old/since').uri, codes: null } };
    await runInProcess([images, more], at('old/retry'), { openStore, spec: retry });
    await runInProcess([images, more], at('old/anew'), { openStore });

    const state = 'source, key, version_id, etag, width, tags, code, message, attempts';
    const viewed = async (name: string): Promise<unknown> => {
      const runs = (await readChain(at(name), openStore)).map(viewRunOf);
      return queryDuckDb('', `SELECT ${state} FROM (${viewSql(runs)}) ORDER BY source, key`);
    };
    const now = await viewed('old/anew');
    expect(now).toHaveLength(9);
    expect(await viewed('old/retry')).toEqual(now);
    const rows = await all(currentRows(await readChain(at('old/retry'), openStore)));
    expect(rows.map(({ source: of, key }) => ({ source: of, key }))).toEqual(
      (now as Record<string, unknown>[]).map(({ source: of, key }) => ({ source: of, key })),
    );
    const own = await readChain(at('old/full'), openStore);
    expect(
      await queryDuckDb('', `SELECT DISTINCT source FROM (${rowsSql(viewRunOf(own[0]!), 'tags')})`),
    ).toEqual([{ source: images.uri }]);
  });

  it('is of finished runs whose sources do not overlap, and ends', async () => {
    await at('later').put(RUN_RECORD, (await at('since').get(RUN_RECORD)).body);
    expect(await failureOf(readChain(at('later'), openStore))).toMatchObject({ code: 'Run.Unfinished' });
    await source.put('deep/a.jpg', 'deep');
    await runInProcess(at('images/deep'), at('deep'), { openStore });
    expect(await failureOf(readChains([at('deep'), at('full')], openStore))).toMatchObject({
      code: 'Run.Different',
      message: expect.stringContaining(`${at('images/deep').uri} of ${at('deep').uri} lies within`) as string,
    });
    expect(await readChains([at('full'), at('empty')], openStore)).toHaveLength(2);
    const since = { since: at('full').uri };
    expect(
      await failureOf(runInProcess(at('images/deep'), at('left out'), { openStore, spec: since })),
    ).toMatchObject({ code: 'Run.Different', message: expect.stringContaining(source.uri) as string });
    const record = Buffer.from((await at('since').get(RUN_RECORD)).body).toString();
    const itself = at('circle');
    await at('circle').put(RUN_RECORD, record.replace(at('full').uri, itself.uri));
    await itself.put('_plan/index.json', (await at('since').get('_plan/index.json')).body);
    await itself.put(SUCCESS, '');
    expect(await failureOf(readChain(itself, openStore))).toMatchObject({ code: 'Run.Chain' });
  });
});

/** Makes a run of one source look as the first release left it, but for its last shard, done by this one. */
async function asFirstRelease(output: ObjectStore, source: ObjectStore): Promise<void> {
  const record = (await readJson(output, RUN_RECORD)) as RunRecord;
  const unwritten = { sources: undefined, keys: undefined, unsigned: undefined, requesterPays: undefined };
  const written = { vocabulary: 'v', graph: null, topK: null, threshold: null, source: source.uri };
  const spec = { ...record.spec, ...unwritten, vocabularies: undefined, ...written };
  await output.put(RUN_RECORD, JSON.stringify({ ...record, spec }));
  for (const kind of PART_KINDS)
    for (const shard of [0, 1]) {
      const path = fileURLToPath(output.describeKey(partKey(kind, shard)));
      await queryDuckDb(
        path,
        `COPY (SELECT * EXCLUDE (source, version_id) ${kind === 'tags' ? 'REPLACE ([{label: t.label, score: t.score} FOR t IN tags] AS tags)' : ''}
         FROM read_parquet($1)) TO $1 (FORMAT parquet)`,
      );
    }
}
