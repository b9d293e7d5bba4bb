import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pinModel } from '../../data/models/pinModel.ts';
import { publishModel, type Published } from '../../data/models/publish.ts';
import { failureOf } from '../support/servers/s3.ts';
import { putModel, STORES, type TestStores } from './stores.ts';

describe.each(STORES)('names of models in %s', (_, start) => {
  let stores: TestStores;
  let models: string;
  let [first, second] = [] as unknown as [Published, Published];
  beforeAll(async () => {
    stores = await start();
    models = stores.at('models/scenes');
    const publish = async (name: string, alias: string): Promise<Published> => {
      await putModel(stores.open(stores.at(name)), name);
      return publishModel({
        openStore: stores.open,
        model: stores.at(name),
        evaluation: null,
        models,
        alias,
        expected: null,
        by: 'test',
        reason: '',
      });
    };
    first = await publish('one', 'production');
    second = await publish('two', 'candidate');
  });
  afterAll(() => stores.stop());
  const pin = (uri: string): Promise<string> => pinModel(uri, stores.open);

  it('an alias, or the beginning of a version, is the version', async () => {
    expect(await pin(models)).toBe(first.uri);
    expect(await pin(`${models}@production`)).toBe(first.uri);
    expect(await pin(`${models}@candidate`)).toBe(second.uri);
    expect(await pin(`${models}@${second.model.slice(0, 6)}`)).toBe(second.uri);
    expect(await pin(`${models}@${second.model}`)).toBe(second.uri);
  });

  it('a model folder stays what it is, whatever its name', async () => {
    expect(await pin(first.uri)).toBe(first.uri);
    await putModel(stores.open(stores.at('models/scenes@candidate')), 'a folder of that name');
    expect(await pin(`${models}@candidate`)).toBe(`${models}@candidate`);
    expect(await pin(stores.at('nothing@there'))).toBe(stores.at('nothing@there'));
    expect(await pin(stores.at('nothing'))).toBe(stores.at('nothing'));
  });

  it('what is not there says what is', async () => {
    expect(await failureOf(pin(`${models}@canary`))).toMatchObject({
      code: 'Model.NoAlias',
      hint: expect.stringContaining('candidate, production') as string,
    });
    expect(await failureOf(pin(`${models}@0123456789`))).toMatchObject({ code: 'Model.NoVersion' });
    await stores.open(stores.at('models/others')).put('aliases/canary.json', '{');
    expect(await failureOf(pin(stores.at('models/others')))).toMatchObject({ code: 'Model.AliasInvalid' });
    await stores
      .open(stores.at('models/third'))
      .put(
        'aliases/canary.json',
        Buffer.from((await stores.open(models).get('aliases/candidate.json')).body),
      );
    expect(await failureOf(pin(stores.at('models/third')))).toMatchObject({ code: 'Model.NoAlias' });
  });
});
