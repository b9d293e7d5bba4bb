import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCategories } from '../../data/categories.ts';
import { trainSettingsSchema } from '../../data/config/trainSchema.ts';
import { writeSnapshot } from '../../data/dataset/snapshot.ts';
import { readLineage } from '../../data/models/lineage.ts';
import { followLineage } from '../../data/models/lineageTree.ts';
import { publishModel, type Published } from '../../data/models/publish.ts';
import { MANIFEST } from '../../data/run/layout.ts';
import { claimRunFolder, runIdOf } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { failureOf } from '../support/servers/s3.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';
import { putModel, STORES, type TestStores } from './stores.ts';

const IMAGES = 40;
const HELD_BACK = 10;

let place: Workplace;
beforeAll(async () => void (place = await makeWorkplace()));
afterAll(() => place.clear());

/** The folder that a finished training leaves, on this machine's disk. */
async function train(name: string, base: string): Promise<ObjectStore> {
  const folder = openStore(place.path(name));
  const images = Array.from({ length: IMAGES }, (_, i) => ({
    uri: `s3://images/${name}/${i}`,
    labels: ['dog'],
  }));
  await folder.put('manifest.jsonl', images.map((image) => JSON.stringify(image)).join('\n'));
  const data = folder.describeKey('manifest.jsonl');
  const settings = trainSettingsSchema.parse({ epochs: 7 });
  await claimRunFolder(folder, {
    version: 1,
    kind: 'train',
    id: runIdOf('train', folder.uri),
    createdAt: '2026-01-31T03:00:00.000Z',
    spec: {
      data,
      validation: null,
      vocabulary: 'v',
      graph: 'the-hash-of-the-graph',
      model: base,
      snapshot: null,
      artifacts: null,
      settings,
    },
  });
  await writeSnapshot({
    kind: 'labels',
    output: folder,
    data,
    validation: null,
    validationShare: HELD_BACK / IMAGES,
    categories: parseCategories('["dog"]', 'categories.json'),
    unlisted: 'absent',
  });
  await putModel(folder, name);
  const best = { metrics: { seen: { mAP: 50 }, unseen: { mAP: 41, 'F1@3': 37.5 } } };
  await folder.put(MANIFEST, JSON.stringify({ result: { best } }));
  return folder;
}

describe.each(STORES)('of models trained on a disk and published in %s', (_, start) => {
  let stores: TestStores;
  let models: ObjectStore;
  const published: Published[] = [];
  beforeAll(async () => {
    stores = await start();
    models = stores.open(stores.at('models'));
    let base = 'hub:openai/clip-vit-base-patch16';
    for (const name of ['first', 'second']) {
      const folder = await train(`${name}-${_}`, base);
      const done = await publishModel({
        openStore: stores.open,
        model: folder.uri,
        evaluation: null,
        models: models.uri,
        alias: 'production',
        expected: undefined,
        by: `retrain-${name}`,
        reason: 'better',
        lineage: {
          graph: { hash: 'g', provider: 'gpt', tokens: 1234, costUsd: 0.5 },
          gate: { passed: true, rules: [] },
        },
      });
      published.push(done);
      base = done.uri;
    }
  });
  afterAll(() => stores.stop());

  it('the lineage has all that the training was made of', async () => {
    const lineage = await readLineage(stores.open(published[0]!.uri));
    const folder = openStore(place.path(`first-${_}`)).uri;
    expect(lineage).toEqual({
      version: 1,
      model: published[0]!.model,
      publishedAt: published[0]!.alias.publishedAt,
      by: 'retrain-first',
      parent: null,
      code: {
        version: '0.1.0',
        commit: expect.toSatisfy((c) => c === null || /^[0-9a-f]{40}\+?$/.test(String(c))) as unknown,
      },
      training: {
        folder,
        run: runIdOf('train', folder),
        startedAt: '2026-01-31T03:00:00.000Z',
        base: 'hub:openai/clip-vit-base-patch16',
        data: `${folder}/manifest.jsonl`,
        validation: null,
        snapshot: {
          hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
          images: IMAGES - HELD_BACK,
          validationImages: HELD_BACK,
        },
        settings: trainSettingsSchema.parse({ epochs: 7 }),
        figures: { 'seen mAP': 50, 'unseen mAP': 41, 'unseen F1@3': 37.5 },
      },
      graph: { hash: 'g', provider: 'gpt', tokens: 1234, costUsd: 0.5 },
      figures: { 'seen mAP': 50, 'unseen mAP': 41, 'unseen F1@3': 37.5 },
      gate: { passed: true, rules: [] },
    });
  });

  it('a version that is published under another name keeps its training', async () => {
    const { uri } = await publishModel({
      openStore: stores.open,
      model: published[0]!.uri,
      evaluation: null,
      models: stores.at('copies'),
      alias: 'production',
      expected: null,
      by: 'test',
      reason: 'for others',
    });
    const [copy, original] = await Promise.all(
      [uri, published[0]!.uri].map((version) => readLineage(stores.open(version))),
    );
    expect(copy).toEqual({ ...original, by: 'test', publishedAt: copy!.publishedAt, gate: null });
  });

  it('the tree goes back to what training started from, each model once', async () => {
    const [first, second] = published as [Published, Published];
    const tree = await followLineage(second.uri, stores.open, 10);
    expect(tree).toMatchObject({
      uri: second.uri,
      cut: false,
      lineage: { published: { by: 'retrain-second', parent: first.uri } },
      parent: {
        uri: first.uri,
        lineage: { published: { by: 'retrain-first' } },
        parent: null,
        base: { uri: 'hub:openai/clip-vit-base-patch16', lineage: null, base: null, cut: false },
      },
      base: { uri: first.uri, lineage: null, cut: true },
    });
    const shallow = await followLineage(second.uri, stores.open, 1);
    expect(shallow).toMatchObject({ parent: { uri: first.uri, lineage: null, cut: true } });
  });

  it('a training that is not published tells what its folder does; what is nothing says so', async () => {
    const folder = await train(`unpublished-${_}`, published[1]!.uri);
    expect(await followLineage(folder.uri, stores.open, 10)).toMatchObject({
      lineage: {
        published: null,
        graph: { hash: 'the-hash-of-the-graph', provider: null },
        figures: { 'unseen mAP': 41 },
      },
      base: { uri: published[1]!.uri, parent: { uri: published[0]!.uri } },
      parent: null,
    });
    expect(await failureOf(followLineage(stores.at('nothing'), stores.open, 10))).toMatchObject({
      code: 'Model.NotFound',
    });
  });
});
