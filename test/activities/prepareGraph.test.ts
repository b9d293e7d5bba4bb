import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareVocabulary } from '../../activities/prepare.ts';
import type { Inference } from '../../activities/tag/dependencies.ts';
import { parseCategories, vocabularyHash } from '../../data/categories.ts';
import { graphHash, parseGraph, type GraphEdge } from '../../data/graphFile.ts';
import { CATEGORIES, GRAPH, vocabularyKeys } from '../../data/run/layout.ts';
import { openStore } from '../../data/store/open.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { writeTrainedModel } from '../support/headModel.ts';

const root = mkdtempSync(join(tmpdir(), 'c2srt-prepare-graph-'));
const plain = join(root, 'plain');
const trained = join(root, 'trained');

const ownEdge: GraphEdge = { source: 'dog', target: 'sheep', relation: 'co-occurrence', strength: 0.4 };
const givenEdge: GraphEdge = { source: 'wolf', target: 'animal', relation: 'functional', strength: 0.2 };

beforeAll(() => {
  const of = { categories: ['dog', 'wolf', 'car'], edges: [ownEdge] };
  writeTrainedModel(plain, { ...of, head: false });
  writeTrainedModel(trained, { ...of, head: true });
});
afterAll(() => rmSync(root, { recursive: true }));

let encodings = 0;
const inference: Inference = {
  fingerprint: { provider: 'cpu' },
  encodeCategories(model, categories) {
    encodings++;
    return encodeCategories(model, categories, { provider: 'cpu', threads: 1 });
  },
  tagger: () => Promise.reject(new Error('nothing is tagged here')),
};

/** The artifact of a run; of its categories the model's graph informs the sheep. */
async function prepare(
  run: string,
  modelDir: string,
  { given, asked = ['animal', 'sheep', 'automobile'] }: { given?: GraphEdge; asked?: string[] } = {},
): Promise<{ name: string; nodes: string[]; edges: string[] }> {
  const dir = join(root, run);
  mkdirSync(dir);
  const output = openStore(dir);
  const categories = JSON.stringify(asked);
  await output.put(CATEGORIES, categories);
  const graph = given === undefined ? null : JSON.stringify({ edges: [given] });
  if (graph !== null) await output.put(GRAPH, graph);
  const vocabulary = {
    name: null,
    categories: vocabularyHash(parseCategories(categories, CATEGORIES)),
    graph: graph === null ? null : graphHash(parseGraph(graph, GRAPH)),
  };
  const model = openModelFolder(modelDir);
  const cache = openStore(join(root, 'cache'));
  const name = await prepareVocabulary(output, cache, vocabulary, { model, hash: 'hash', inference });
  const { nodes, edges } = JSON.parse(
    Buffer.from((await output.get(vocabularyKeys(name).json)).body).toString(),
  ) as { nodes: string[]; edges: [number, number, number, number][] };
  return {
    name,
    nodes,
    edges: edges.map(([source, target, , strength]) => `${nodes[source]!} -> ${nodes[target]!} ${strength}`),
  };
}

test('a trained head gets links from WordNet for the categories that its own graph lacks', async () => {
  const { nodes, edges } = await prepare('linked', trained);
  expect(nodes).toEqual(['animal', 'sheep', 'automobile', 'car', 'dog', 'wolf']);
  expect(edges.toSorted()).toEqual([
    'car -> automobile 1',
    'dog -> animal 0.81',
    'dog -> sheep 0.4',
    'sheep -> animal 0.3874',
    'wolf -> animal 0.4783',
  ]);
});

test('a category that the model was trained on has the links of its graph, and no others', async () => {
  const { edges } = await prepare('seen', trained, { asked: ['dog', 'wolf', 'sheep'] });
  expect(edges).toEqual(['dog -> sheep 0.4']);
});

test('a graph that the run names is used as it is', async () => {
  const linked = await prepare('unnamed', trained);
  const { name, edges } = await prepare('named', trained, { given: givenEdge });
  expect(edges).toEqual(['wolf -> animal 0.2']);
  expect(name).not.toBe(linked.name);
});

test('an untrained head gets no graph, so a named one changes nothing', async () => {
  const without = await prepare('untrained', plain);
  expect(without).toMatchObject({ nodes: ['animal', 'sheep', 'automobile'], edges: [] });
  expect((await prepare('untrained-named', plain, { given: givenEdge })).name).toBe(without.name);
});

test('another run with the same vocabulary and model encodes no text again', async () => {
  const first = await prepare('first', plain);
  const before = encodings;
  expect(await prepare('second', plain)).toEqual(first);
  expect(encodings).toBe(before);
});
