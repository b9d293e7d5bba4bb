import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseCategories, type Category } from '../data/categories.ts';

import { graphHash, parseGraph, type CategoryGraph } from '../data/graphFile.ts';
import { CATEGORIES, GRAPH, LINKED_GRAPH, vocabularyKeys } from '../data/run/layout.ts';
import { readJson } from '../data/store/json.ts';
import type { TagSpec } from '../data/run/record.ts';
import { decodeSafetensors, encodeSafetensors, readFloats } from '../data/safetensors.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { subgraph } from '../data/subgraph.ts';
import { linkByWordnet } from '../model/graph/wordnet.ts';
import { WORDNET_VERSION } from '../model/graph/wordnetDatabase.ts';
import type { ModelFolder } from '../model/modelFolder.ts';
import type { Vocabulary } from '../model/tagger.ts';
import type { Inference } from './tag/dependencies.ts';

/** Changes whenever the meaning of the artifact does. */
const STAGE_VERSION = 3;

const artifactSchema = z.object({
  /** Hash of the model folder that the features are of. */
  model: z.string(),
  /** Asked categories, then the seen ones that inform them. */
  nodes: z.array(z.string()),
  asked: z.int(),
  hopOffsets: z.array(z.int()),
  /** [source, target, relation, strength] */
  edges: z.array(z.tuple([z.int(), z.int(), z.int(), z.number()])),
});

/** A run's categories, as its command read them from the user's file. */
export async function readCategories(output: ObjectStore): Promise<Category[]> {
  return parseCategories((await output.get(CATEGORIES)).body, CATEGORIES);
}

/** What a vocabulary artifact is made of. */
export interface VocabularyInput {
  /** Of a run with these inputs in its folder. */
  record: { spec: Pick<TagSpec, 'vocabulary' | 'graph' | 'link'> };
  model: ModelFolder;
  /** The model folder's hash. */
  hash: string;
  inference: Inference;
}

/**
 * Makes the vocabulary artifact of a run: text features of the asked categories and of the seen ones within as many
 * hops as the head has layers, and the edges among them. Its name is the hash of all that determines it; one that
 * exists in the run's folder, or in this machine's `cache` from another run, is not made again. Returns that hash.
 */
export async function prepareVocabulary(
  output: ObjectStore,
  cache: ObjectStore,
  input: VocabularyInput,
): Promise<string> {
  const { record, model, hash, inference } = input;
  const { spec } = record;
  // An untrained head passes no messages: whatever a graph says, its scores are those of CLIP + ISR.
  const given = model.head === undefined ? undefined : await givenGraph(output, spec);
  const provider =
    model.head === undefined ? 'none' : given === undefined ? WORDNET_VERSION : graphHash(given);
  const name = createHash('sha256')
    .update(JSON.stringify([STAGE_VERSION, hash, spec.vocabulary, provider, inference.fingerprint]))
    .digest('hex')
    .slice(0, 32);
  const keys = vocabularyKeys(name);
  if (await output.head(keys.json)) return name;

  if (await copyArtifact(cache, output, name)) return name;
  await makeArtifact(output, name, input, given);
  await copyArtifact(output, cache, name);
  return name;
}

/** Encodes the texts and writes the artifact; its JSON last, so that what has one is whole. */
async function makeArtifact(
  output: ObjectStore,
  name: string,
  { model, hash, inference }: VocabularyInput,
  given: CategoryGraph | undefined,
): Promise<void> {
  const keys = vocabularyKeys(name);
  const asked = await readCategories(output);
  const seen = seenCategories(model);
  const trained = new Set(seen.map(({ name }) => name));
  // What the model was trained on it was trained on with the links that its graph has.
  const others = asked.filter(({ name }) => !trained.has(name));
  const graph = model.head ? (given ?? extendByWordnet(model, others, seen)) : { edges: [] };
  const { nodes, hopOffsets, edges } = subgraph(
    graph,
    asked.map((category) => category.name),
    trained,
    model.head?.layers ?? 0,
  );
  const byName = new Map([...seen, ...asked].map((category) => [category.name, category]));
  const text = await inference.encodeCategories(
    model,
    nodes.map((node) => byName.get(node)!),
  );
  const d = model.config.projection_dim;
  await output.put(keys.text, encodeSafetensors({ text: { shape: [nodes.length, d], values: text } }));
  const artifact: z.infer<typeof artifactSchema> = {
    model: hash,
    nodes,
    asked: asked.length,
    hopOffsets,
    edges: edges.map(({ source, target, relation, strength }) => [source, target, relation, strength]),
  };
  await output.put(keys.json, JSON.stringify(artifact), { contentType: 'application/json' });
}

/** Copies an artifact between stores; false where the first does not have it. */
async function copyArtifact(from: ObjectStore, to: ObjectStore, name: string): Promise<boolean> {
  const keys = vocabularyKeys(name);
  if (!(await from.head(keys.json))) return false;
  for (const key of [keys.text, keys.json]) await to.put(key, (await from.get(key)).body);
  return true;
}

/** The artifact as tagging needs it, and the hash of the model that it is for. */
export async function readVocabulary(
  output: ObjectStore,
  name: string,
): Promise<{ model: string; nodes: string[]; vocabulary: Vocabulary }> {
  const keys = vocabularyKeys(name);
  const { model, nodes, asked, hopOffsets, edges } = artifactSchema.parse(await readJson(output, keys.json));
  const { body } = await output.get(keys.text);
  const text = readFloats(decodeSafetensors(body, output.describeKey(keys.text)).get('text')!);
  return {
    model,
    nodes,
    vocabulary: {
      text,
      asked,
      hopOffsets,
      edges: edges.map(([source, target, relation, strength]) => ({ source, target, relation, strength })),
    },
  };
}

/** What the model was trained on; none for a plain CLIP checkpoint. */
export function seenCategories(model: ModelFolder): Category[] {
  const file = join(model.dir, 'categories.json');
  return existsSync(file) ? parseCategories(readFileSync(file), file) : [];
}

/** The graph that the model was trained with; without edges for a plain CLIP checkpoint. */
export function modelGraph(model: ModelFolder): CategoryGraph {
  const file = join(model.dir, 'graph.json');
  return existsSync(file) ? parseGraph(readFileSync(file), file) : { edges: [] };
}

/** The graph that a run names, or that was built for it; undefined where WordNet is to link what the model's own lacks. */
export async function givenGraph(
  output: ObjectStore,
  { graph, link }: Pick<TagSpec, 'graph' | 'link'>,
): Promise<CategoryGraph | undefined> {
  const key = graph !== null ? GRAPH : link === undefined ? undefined : LINKED_GRAPH;
  return key === undefined ? undefined : parseGraph((await output.get(key)).body, key);
}

/** The model's own graph, with links from WordNet for the asked categories that it gives no edge from one of the others. */
export function extendByWordnet(
  model: ModelFolder,
  asked: readonly Category[],
  seen: readonly Category[],
): CategoryGraph {
  const graph = modelGraph(model);
  return { edges: [...graph.edges, ...linkByWordnet({ asked, seen, graph })] };
}
