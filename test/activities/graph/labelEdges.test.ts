import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishGraph } from '../../../activities/graph/finishGraph.ts';
import { labelEdges } from '../../../activities/graph/labelEdges.ts';
import { planGraph } from '../../../activities/graph/planGraph.ts';
import { parseCategories, vocabularyHash } from '../../../data/categories.ts';
import { graphSettingsSchema } from '../../../data/config/graphSchema.ts';
import { writeSnapshot } from '../../../data/dataset/snapshot.ts';
import { parseGraph } from '../../../data/graphFile.ts';
import { claimRun } from '../../../data/run/claim.ts';
import type { GraphRecord } from '../../../data/run/record.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';

const categories = parseCategories(
  JSON.stringify([
    { name: 'wolf' },
    { name: 'animal' },
    { name: 'beach' },
    { name: 'surfboard' },
    { name: 'cactus', split: 'unseen' },
  ]),
  'c.json',
);

const root = mkdtempSync(join(tmpdir(), 'c2srt-labels-'));
let labelled: ObjectStore;
beforeAll(async () => {
  // Of 60 images 10 show a beach with a surfboard, 10 a wolf, which is an animal, and 10 a cactus on a beach.
  const labels = (i: number): string[] =>
    [['beach', 'surfboard'], ['wolf', 'animal'], ['cactus', 'beach'], [], [], []][i % 6]!;
  const rows = Array.from({ length: 60 }, (_, i) => JSON.stringify({ uri: `${i}.jpg`, labels: labels(i) }));
  await writeFile(join(root, 'data.jsonl'), rows.join('\n'));
  labelled = openStore(join(root, 'training'));
  await writeSnapshot({
    ...{ kind: 'labels', categories, unlisted: 'absent', output: labelled },
    ...{ data: join(root, 'data.jsonl'), validation: null, validationShare: 0 },
  });
});
afterAll(() => rmSync(root, { recursive: true }));

test('labels of seen categories give edges of co-occurrence', async () => {
  const edges = await labelEdges(labelled, categories, () => undefined);
  expect(edges.map(({ source, target }) => `${source} -> ${target}`).sort()).toEqual([
    'animal -> wolf',
    'beach -> surfboard',
    'surfboard -> beach',
    'wolf -> animal',
  ]);
});

test('a snapshot of other categories is refused', async () => {
  await expect(labelEdges(labelled, categories.slice(1), () => undefined)).rejects.toMatchObject({
    code: 'Dataset.OtherCategories',
  });
  await expect(labelEdges(openStore(root), categories, () => undefined)).rejects.toMatchObject({
    code: 'Run.Incomplete',
  });
});

test('a graph from WordNet and labels: what WordNet links, labels do not link again, least of all backwards', async () => {
  const output = openStore(join(root, 'graph'));
  const record: GraphRecord = {
    ...{ version: 1, kind: 'graph', id: 'graph-x', createdAt: '2025-01-01T00:00:00Z' },
    spec: {
      ...{ vocabulary: vocabularyHash(categories), model: null, extend: false, graph: null, cache: null },
      ...{ snapshot: labelled.uri, settings: graphSettingsSchema.parse({}) },
    },
  };
  await claimRun(output, { categories }, record);
  const plan = await planGraph({
    ...{ output, record, openStore, report: () => undefined, signal: new AbortController().signal },
    openModel: () => Promise.reject(new Error('no model is needed')),
    inference: { encodeCategories: () => Promise.reject(new Error('no text is encoded')) },
  });
  expect(plan).toMatchObject({ categories: 5, calls: 0, cached: 0 });
  const finish = () =>
    finishGraph({ output, record, openStore, prices: { input: 0, output: 0 }, report: () => undefined });
  const result = await finish();
  const { edges } = parseGraph((await output.get('graph.json')).body, 'graph.json');
  expect(edges.map(({ source, target, relation }) => `${source} -> ${target} ${relation}`)).toEqual([
    'wolf -> animal is-a',
    'surfboard -> beach co-occurrence',
    'beach -> surfboard co-occurrence',
  ]);
  expect(result).toMatchObject({ categories: 5, edges: 3, calls: 0, costUsd: 0 });
  // A second attempt says the same.
  expect(await finish()).toEqual(result);
});
