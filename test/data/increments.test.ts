import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  dropUnchanged,
  nextIncrement,
  writeIncrementRequest,
  type IncrementRequest,
} from '../../data/chain/increments.ts';
import { PLAN_INDEX, SUCCESS } from '../../data/run/layout.ts';
import type { PlanIndex } from '../../data/run/plan/plan.ts';
import { oneSource, readRunRecord } from '../../data/run/record.ts';
import { soleVocabulary } from '../../data/run/vocabularies.ts';
import { readJson } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { STORES, type TestStores } from '../models/stores.ts';
import { all, failureOf } from '../support/servers/s3.ts';

describe.each(STORES)('chains of scheduled runs in %s', (_, start) => {
  let stores: TestStores;
  beforeAll(async () => void (stores = await start()));
  afterAll(() => stores.stop());

  const requestOf = (change: Partial<IncrementRequest['spec']> = {}): IncrementRequest => ({
    version: 1,
    spec: {
      ...oneSource(stores.at('images')),
      include: [],
      exclude: [],
      since: null,
      vocabularies: [soleVocabulary('v')],
      model: 'hub:some/model',
      embedding: false,
      shardSize: 10,
      maxBytes: 1,
      maxPixels: 1,
      decodeTimeoutMs: 1,
      ...change,
    },
    vocabularies: [{ name: null, categories: [{ name: 'dog' }], graph: { json: '{"edges":[]}' } }],
  });
  /** A chain, and a way to ask for what is next in it. */
  async function chainOf(name: string, change: Partial<IncrementRequest['spec']> = {}) {
    const chain = stores.open(stores.at(name));
    const request = await writeIncrementRequest(chain, requestOf(change));
    const next = (by: string, takeOver?: string, openStore = stores.open) =>
      nextIncrement(chain, { openStore, request, by, execution: `execution-${by}`, takeOver });
    return { chain, request, next, run: (by: string) => `${chain.uri}/${by}` };
  }
  const finish = (run: string) => stores.open(run).put(SUCCESS, '');
  const plan = (run: string, keys: number, deleted: number) => {
    const shards = (count: number) => ({ shards: 0, keys: count, segments: [] });
    const index: PlanIndex = {
      ...shards(keys),
      sizeBytes: 0,
      excluded: 0,
      markers: 0,
      duplicates: 0,
      archived: 0,
      since: { listing: shards(100), deleted: shards(deleted) },
    };
    return stores.open(run).put(PLAN_INDEX, JSON.stringify(index));
  };

  it('each run goes on from the newest that has finished, and no second one begins meanwhile', async () => {
    const { next, run } = await chainOf('chain');
    const first = { run: run('a-1'), since: null, heldBy: null, isNew: true };
    // Colons are not for the names of folders everywhere.
    expect(await next('a:1')).toEqual(first);
    expect(await next('a:1')).toEqual(first);
    const record = await readRunRecord(stores.open(first.run));
    expect(record).toMatchObject({
      kind: 'tag',
      spec: { since: null, retry: null, model: 'hub:some/model' },
    });
    expect(await readJson(stores.open(first.run), '_inputs/categories.json')).toEqual([{ name: 'dog' }]);
    expect(await readJson(stores.open(first.run), '_inputs/graph.json')).toEqual({ edges: [] });

    expect(await next('b')).toEqual({ ...first, heldBy: 'a:1', isNew: false });
    expect(await next('b', 'somebody else')).toEqual({ ...first, heldBy: 'a:1', isNew: false });
    expect(await next('b', 'a:1')).toEqual({ ...first, isNew: false });
    expect(await next('b')).toEqual({ ...first, isNew: false });
    expect(await next('c', 'a:1')).toEqual({ ...first, heldBy: 'b', isNew: false });

    await finish(first.run);
    const second = { run: run('b'), since: first.run, heldBy: null, isNew: true };
    expect(await next('b')).toEqual(second);
    expect(await readRunRecord(stores.open(second.run))).toMatchObject({ spec: { since: first.run } });
    // One that comes again after its end does not begin another.
    await finish(second.run);
    expect(await next('b')).toEqual(second);
    expect(await next('c')).toEqual({ run: run('c'), since: second.run, heldBy: null, isNew: true });
    await finish(run('c'));
    // Another of a name that was there before has a folder of its own.
    expect(await next('b')).toEqual({
      run: run('b-execution-b'),
      since: run('c'),
      heldBy: null,
      isNew: true,
    });
  });

  it('a request of an earlier release is of one vocabulary; of several each has its inputs', async () => {
    const chain = stores.open(stores.at('requests'));
    const { spec, ...rest } = requestOf();
    const { vocabularies: _, ...common } = spec;
    const earlier = {
      ...{ version: 1, categories: [{ name: 'dog' }], graph: null },
      spec: { ...common, vocabulary: 'v', graph: null, topK: 3, threshold: null },
    };
    await chain.put('_schedule/requests/earlier.json', JSON.stringify(earlier));
    const ask = { openStore: stores.open, by: 'a', execution: 'a' };
    const { run } = await nextIncrement(chain, { ...ask, request: 'earlier' });
    expect(await readRunRecord(stores.open(run))).toMatchObject({
      spec: { vocabularies: [{ name: null, categories: 'v', graph: null, topK: 3, threshold: null }] },
    });
    expect(await readJson(stores.open(run), '_inputs/categories.json')).toEqual([{ name: 'dog' }]);

    const several = stores.open(stores.at('several'));
    const [dog] = rest.vocabularies;
    const request = await writeIncrementRequest(several, {
      ...rest,
      spec: { ...spec, vocabularies: ['a', 'b'].map((name) => ({ ...soleVocabulary(name), name })) },
      vocabularies: [
        { ...dog!, name: 'a', graph: null },
        { ...dog!, name: 'b', categories: [{ name: 'cake' }] },
      ],
    });
    const output = stores.open((await nextIncrement(several, { ...ask, request })).run);
    expect(await readJson(output, '_inputs/a/categories.json')).toEqual([{ name: 'dog' }]);
    expect(await readJson(output, '_inputs/b/categories.json')).toEqual([{ name: 'cake' }]);
    expect(await output.head('_inputs/a/graph.json')).toBeUndefined();
    expect(await readJson(output, '_inputs/b/graph.json')).toEqual({ edges: [] });
  });

  it('of twenty that ask at once one begins a run', async () => {
    const { next, run } = await chainOf('raced');
    const ask = async (round: number) => {
      const increments = await Promise.all(Array.from({ length: 20 }, (_, i) => next(`${round}-${i}`)));
      const [begun, ...others] = increments.filter(({ isNew }) => isNew);
      expect(others).toEqual([]);
      for (const { run: held, heldBy, isNew } of increments)
        if (!isNew)
          expect({ run: held, heldBy: run(heldBy!) }).toEqual({ run: begun!.run, heldBy: begun!.run });
      return begun!;
    };
    const first = await ask(1);
    await finish(first.run);
    expect(await ask(2)).toMatchObject({ since: first.run });
  });

  it('a run with nothing to do leaves its chain', async () => {
    const { chain, next, run } = await chainOf('unchanged');
    const { run: first } = await next('a');
    await plan(first, 0, 0);
    // A first run is done even where its source is empty.
    expect(await dropUnchanged(chain, first, stores.open)).toBe(false);
    await finish(first);
    const { run: second } = await next('b');
    for (const [keys, deleted] of [
      [1, 0],
      [0, 1],
    ] as const) {
      await plan(second, keys, deleted);
      expect(await dropUnchanged(chain, second, stores.open)).toBe(false);
    }
    await plan(second, 0, 0);
    expect(await dropUnchanged(chain, second, stores.open)).toBe(true);
    expect(await dropUnchanged(chain, second, stores.open)).toBe(true);
    expect((await all(chain.list())).filter(({ key }) => key.startsWith('b/'))).toEqual([]);
    expect(await next('c')).toEqual({ run: run('c'), since: first, heldBy: null, isNew: true });
    // What has finished stays, whoever asks.
    expect(await dropUnchanged(chain, first, stores.open)).toBe(false);
    expect(await readRunRecord(stores.open(first))).toBeDefined();
  });

  it('what dies between the chain and the run goes on with the same one', async () => {
    const { next, run } = await chainOf('died');
    await finish((await next('a')).run);
    const dead = (uri: string): ObjectStore => {
      const store = stores.open(uri);
      if (uri === run('b')) store.put = () => Promise.reject(new Error('gone'));
      return store;
    };
    expect(await failureOf(next('b', undefined, dead))).toMatchObject({ message: 'gone' });
    const there = { run: run('b'), since: run('a'), heldBy: null };
    expect(await next('c', 'b')).toEqual({ ...there, isNew: false });
    expect(await readRunRecord(stores.open(run('b')))).toMatchObject({ spec: { since: run('a') } });
  });

  it('a chain begins with a finished run of the same sources, where one is named; new ones may join', async () => {
    const before = await chainOf('before');
    const { run: base } = await before.next('full');
    const { next, run } = await chainOf('after', { since: base });
    expect(await failureOf(next('a'))).toMatchObject({ code: 'Run.Unfinished' });
    await finish(base);
    expect(await next('a')).toMatchObject({ run: run('a'), since: base });
    const elsewhere = oneSource(stores.at('elsewhere')).sources;
    const other = await chainOf('other', { since: base, sources: elsewhere });
    expect(await failureOf(other.next('a'))).toMatchObject({
      code: 'Schedule.OtherSource',
      message: `${base} is a run of ${stores.at('images')} too, which is no source of the schedule.`,
    });
    const both = [...elsewhere, ...oneSource(stores.at('images')).sources];
    const joined = await chainOf('joined', { since: base, sources: both });
    expect(await joined.next('a')).toMatchObject({ run: joined.run('a'), since: base });
  });
});
