import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moveAlias, readAlias, rollBackAlias } from '../../data/models/alias.ts';
import { readLineage } from '../../data/models/lineage.ts';
import { publishModel, type Published, type PublishOptions } from '../../data/models/publish.ts';
import { findVersion, listVersions } from '../../data/models/versions.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { modelHash } from '../../model/resolve.ts';
import { all, failureOf } from '../support/servers/s3.ts';
import { putModel, STORES, type TestStores } from './stores.ts';

describe.each(STORES)('published models in %s', (_, start) => {
  let stores: TestStores;
  beforeAll(async () => void (stores = await start()));
  afterAll(() => stores.stop());

  const trained = async (name: string, weights = name): Promise<string> => {
    await putModel(stores.open(stores.at(name)), weights);
    return stores.at(name);
  };
  const publish = (
    model: string,
    models: ObjectStore,
    options: Partial<PublishOptions> = {},
  ): Promise<Published> =>
    publishModel({
      openStore: stores.open,
      model,
      evaluation: null,
      models: models.uri,
      alias: 'production',
      expected: undefined,
      by: 'retrain-test',
      reason: 'better',
      ...options,
    });
  const text = async (store: ObjectStore, key: string): Promise<string> =>
    Buffer.from((await store.get(key)).body).toString();

  it('a model is copied whole, with what its evaluation made of it, and named by its hash', async () => {
    const folder = stores.open(await trained('train-one'));
    await folder.put('_run.json.not', '{}');
    await folder.put('_rounds/start.safetensors', 'not of the model');
    await folder.put('calibration.json', '{"of":"training"}');
    const evaluation = stores.open(stores.at('evaluation-one'));
    await evaluation.put('calibration.json', '{"of":"evaluation"}');
    await evaluation.put('metrics.json', '{"of":"evaluation"}');
    await evaluation.put('config.json', 'not of the model');
    const models = stores.open(stores.at('whole models'));
    const { model, uri, moved, copied } = await publish(folder.uri, models, { evaluation: evaluation.uri });
    expect({ moved, copied }).toEqual({ moved: true, copied: true });
    const version = stores.open(uri);
    expect((await all(version.list())).map(({ key }) => key).sort()).toEqual(
      ['MODEL_CARD.md', 'calibration.json', 'config.json', 'lineage.json', 'metrics.json'].concat(
        'model.safetensors',
        'tokenizer.json',
      ),
    );
    expect(await text(version, 'calibration.json')).toBe('{"of":"evaluation"}');
    expect(await text(version, 'config.json')).toBe('{}');
    // The hash is what the workers make of the folder.
    const local = await mkdtemp(join(tmpdir(), 'c2srt-published-'));
    try {
      for (const { key } of await all(version.list()))
        await writeFile(join(local, key), (await version.get(key)).body);
      expect(await modelHash(local)).toBe(model);
    } finally {
      await rm(local, { recursive: true });
    }
    expect(await findVersion(models, model.slice(0, 6))).toBe(model);
    expect(await listVersions(models, stores.open)).toMatchObject([{ model, aliases: ['production'] }]);
    // Once more, nothing is left to do.
    expect(await publish(folder.uri, models, { evaluation: evaluation.uri })).toMatchObject({
      model,
      moved: false,
      copied: false,
    });
  });

  it.each([20, 5])(
    'of %i publishers at once one wins, and the others are told what is there',
    async (count) => {
      const models = stores.open(stores.at('raced'));
      const before = (await readAlias(models, 'production'))?.model ?? null;
      const folders = await Promise.all(
        Array.from({ length: count }, (_, i) => trained(`raced-${count}-${i}`)),
      );
      const outcomes = await Promise.allSettled(
        folders.map((folder, i) => publish(folder, models, { expected: before, by: `publisher-${i}` })),
      );
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      const lost = outcomes.flatMap((outcome): unknown[] =>
        outcome.status === 'rejected' ? [outcome.reason] : [],
      );
      expect(won.map(({ moved }) => moved)).toEqual([true]);
      const { model, by, previous } = (await readAlias(models, 'production'))!;
      expect({ model, previous }).toEqual({ model: won[0]!.model, previous: before });
      expect(lost).toHaveLength(count - 1);
      for (const failure of lost)
        expect(failure).toMatchObject({
          code: 'Model.AliasMoved',
          message: expect.stringContaining(`names ${model} now, by ${by} at `) as string,
        });
    },
  );

  it('a crash before the alias leaves production alone, and publishing again does what is left', async () => {
    const models = stores.open(stores.at('crashed'));
    const first = await publish(await trained('crashed-first'), models);
    const candidate = await trained('crashed-second');
    // Each put and copy in turn is the one after which the process is gone.
    for (let puts = 0; ; puts++) {
      let left = puts;
      const dying = (uri: string): ObjectStore => {
        const store = stores.open(uri);
        const orDie = <T>(work: () => Promise<T>): Promise<T> =>
          left-- > 0 ? work() : Promise.reject(new Error('gone'));
        return {
          uri: store.uri,
          list: (options) => store.list(options),
          head: (key) => store.head(key),
          get: (key, options) => store.get(key, options),
          delete: (keys) => store.delete(keys),
          describeKey: (key) => store.describeKey(key),
          put: (key, body, options) => orDie(() => store.put(key, body, options)),
          copy: (from, to) => orDie(() => store.copy(from, to)),
        };
      };
      const ended = await publish(candidate, models, { openStore: dying }).catch((error: unknown) => error);
      if (!(ended instanceof Error)) {
        expect(puts).toBe(6);
        expect(ended).toMatchObject({ moved: true });
        break;
      }
      expect(ended.message).toBe('gone');
      expect((await readAlias(models, 'production'))?.model).toBe(first.model);
      const versions = await listVersions(models, stores.open);
      // Half a copy is no version.
      expect(versions.length).toBe(puts < 5 ? 1 : 2);
    }
    const { lineage } = (await listVersions(models, stores.open))[0]!;
    expect(lineage).toMatchObject({ by: 'retrain-test', parent: first.uri, training: null });
  });

  it('a folder that is no model, or that changes meanwhile, is not published', async () => {
    const models = stores.open(stores.at('refused'));
    const empty = stores.at('empty');
    await stores.open(empty).put('notes.txt', '');
    expect(await failureOf(publish(empty, models))).toMatchObject({ code: 'Model.NotFound' });
    await stores.open(empty).put('config.json', '{}');
    expect(await failureOf(publish(empty, models))).toMatchObject({ code: 'Model.NoSafetensors' });
    const index = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } };
    await stores.open(empty).put('model.safetensors.index.json', JSON.stringify(index));
    await stores.open(empty).put('model-1.safetensors', 'one');
    expect(await failureOf(publish(empty, models))).toMatchObject({
      code: 'Model.NoSafetensors',
      message: expect.stringContaining('model-2.safetensors') as string,
    });
    await stores.open(empty).put('model-2.safetensors', 'two');
    await publish(empty, models);

    const folder = await trained('changing');
    const overwriting = (uri: string): ObjectStore => {
      const store = stores.open(uri);
      const copy = store.copy.bind(store);
      store.copy = async (from, to) => {
        if (from.endsWith('model.safetensors')) await stores.open(folder).put('model.safetensors', 'another');
        await copy(from, to);
      };
      return store;
    };
    expect(await failureOf(publish(folder, models, { openStore: overwriting }))).toMatchObject({
      code: 'Store.Changed',
    });
    expect(await listVersions(models, stores.open)).toHaveLength(1);
  });

  it('rollbacks go back one model at a time, as far as there are any', async () => {
    const models = stores.open(stores.at('rolled'));
    const published: string[] = [];
    for (const name of ['a', 'b', 'c'])
      published.push((await publish(await trained(`rolled-${name}`), models)).model);
    const [a, b, c] = published as [string, string, string];
    const back = () =>
      rollBackAlias(models, 'production', { publishedAt: new Date().toISOString(), reason: 'worse' });
    expect(await back()).toMatchObject({ model: b, previous: a, by: 'rollback' });
    const move = { model: c, publishedAt: new Date().toISOString(), by: 'promote', reason: 'after all' };
    expect(await moveAlias(models, 'production', move, undefined)).toMatchObject({
      moved: true,
      alias: { model: c, previous: b, earlier: [a] },
    });
    expect(await back()).toMatchObject({ model: b });
    expect(await back()).toMatchObject({ model: a, previous: null });
    expect(await failureOf(back())).toMatchObject({ code: 'Model.NothingToRollBack' });
    const { history } = (await readAlias(models, 'production'))!;
    expect(history.map(({ model, by }) => [model, by])).toEqual([
      [b, 'rollback'],
      [c, 'promote'],
      [b, 'rollback'],
      [c, 'retrain-test'],
      [b, 'retrain-test'],
      [a, 'retrain-test'],
    ]);
    expect(await failureOf(rollBackAlias(models, 'canary', { publishedAt: '', reason: '' }))).toMatchObject({
      code: 'Model.NoAlias',
    });
  });

  it('a version that was deleted is not rolled back to', async () => {
    const models = stores.open(stores.at('deleted'));
    const { uri, model } = await publish(await trained('deleted-a'), models);
    const second = await publish(await trained('deleted-b'), models);
    await stores.open(uri).delete((await all(stores.open(uri).list())).map(({ key }) => key));
    expect(
      await failureOf(
        rollBackAlias(models, 'production', { publishedAt: new Date().toISOString(), reason: 'worse' }),
      ),
    ).toMatchObject({ code: 'Model.NoVersion', message: expect.stringContaining(model) as string });
    expect((await readAlias(models, 'production'))?.model).toBe(second.model);
  });

  it('an alias whose answer was lost is not taken for another publisher', async () => {
    const models = stores.open(stores.at('lost'));
    const twice = (uri: string): ObjectStore => {
      const store = stores.open(uri);
      const put = store.put.bind(store);
      store.put = async (key, body, options) => {
        if (key.startsWith('aliases/')) await put(key, body, options);
        return put(key, body, options);
      };
      return store;
    };
    expect(
      await publish(await trained('lost-a'), models, { openStore: twice, expected: null }),
    ).toMatchObject({ moved: true });
  });

  it('what is no alias says so', async () => {
    const models = stores.open(stores.at('broken'));
    await models.put('aliases/production.json', '{"model":');
    expect(await failureOf(readAlias(models, 'production'))).toMatchObject({ code: 'Model.AliasInvalid' });
    for (const name of ['', 'a/b', '../up', 'abcdef', 'x'.repeat(64)])
      expect(await failureOf(readAlias(models, name)), name).toMatchObject({ code: 'Model.AliasName' });
  });

  it('the lineage says nothing of a model that was not trained here but when it was published', async () => {
    const models = stores.open(stores.at('plain'));
    const { uri } = await publish(await trained('plain-model'), models, {
      lineage: { figures: { 'unseen F1@3': 41.5 }, gate: { passed: true, rules: [] } },
    });
    expect(await readLineage(stores.open(uri))).toMatchObject({
      training: null,
      graph: null,
      parent: null,
      figures: { 'unseen F1@3': 41.5 },
      gate: { passed: true, rules: [] },
      code: { version: '0.1.0' },
    });
  });
});
