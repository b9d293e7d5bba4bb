import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseCategories, type Category } from '../data/categories.ts';

import { graphHash, parseGraph, type CategoryGraph } from '../data/graphFile.ts';
import { CALIBRATION } from '../data/models/modelFiles.ts';
import {
  CATEGORIES,
  joinArtifacts,
  splitArtifacts,
  vocabularyInputs,
  vocabularyKeys,
} from '../data/run/layout.ts';
import { readJson } from '../data/store/json.ts';
import type { TagSpec } from '../data/run/record.ts';
import type { RunVocabulary } from '../data/run/vocabularies.ts';
import { decodeSafetensors, encodeSafetensors, readFloats } from '../data/safetensors.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { subgraph } from '../data/subgraph.ts';
import { linkByWordnet } from '../model/graph/wordnet.ts';
import { WORDNET_VERSION } from '../model/graph/wordnetDatabase.ts';
import type { ModelFolder } from '../model/modelFolder.ts';
import type { Vocabulary } from '../model/tagger.ts';
import type { Inference } from './tag/dependencies.ts';

/** Changes whenever the meaning of the artifact does. */
const STAGE_VERSION = 4;

const artifactSchema = z.object({
  /** Hash of the model folder that the features are of. */
  model: z.string(),
  /** Whether the model's scores are written calibrated; artifacts of earlier releases lack it. */
  calibrated: z.boolean().optional(),
  /** Asked categories, then the seen ones that inform them. */
  nodes: z.array(z.string()),
  asked: z.int(),
  hopOffsets: z.array(z.int()),
  /** [source, target, relation, strength] */
  edges: z.array(z.tuple([z.int(), z.int(), z.int(), z.number()])),
});

/** A run's categories, as its command read them from the user's file. */
export async function readCategories(output: ObjectStore, key = CATEGORIES): Promise<Category[]> {
  return parseCategories((await output.get(key)).body, key);
}

/** What vocabularies are made with. */
export interface PrepareInput {
  model: ModelFolder;
  /** The model folder's hash. */
  hash: string;
  inference: Inference;
}

/** A vocabulary of a run with these inputs in its folder. */
export type PreparedInputs = Pick<RunVocabulary, 'name' | 'categories' | 'graph'> & Pick<TagSpec, 'link'>;

/** {@link prepareVocabulary} for all vocabularies of a tag run; their artifacts as {@link joinArtifacts} has them. */
export async function prepareVocabularies(
  output: ObjectStore,
  cache: ObjectStore,
  { vocabularies, link }: Pick<TagSpec, 'vocabularies' | 'link'>,
  input: PrepareInput,
): Promise<string> {
  const artifacts: string[] = [];
  for (const vocabulary of vocabularies)
    artifacts.push(await prepareVocabulary(output, cache, { ...vocabulary, link }, input));
  return joinArtifacts(artifacts);
}

/**
 * Makes the artifact of a run's vocabulary: text features of the asked categories and of the seen ones within as many
 * hops as the head has layers, and the edges among them. Its name is the hash of all that determines it; one that
 * exists in the run's folder, or in this machine's `cache` from another run, is not made again. Returns that hash.
 */
export async function prepareVocabulary(
  output: ObjectStore,
  cache: ObjectStore,
  vocabulary: PreparedInputs,
  input: PrepareInput,
): Promise<string> {
  const { model, hash, inference } = input;
  // An untrained head passes no messages: whatever a graph says, its scores are those of CLIP + ISR.
  const given = model.head === undefined ? undefined : await givenGraph(output, vocabulary);
  const provider =
    model.head === undefined ? 'none' : given === undefined ? WORDNET_VERSION : graphHash(given);
  const name = createHash('sha256')
    .update(JSON.stringify([STAGE_VERSION, hash, vocabulary.categories, provider, inference.fingerprint]))
    .digest('hex')
    .slice(0, 32);
  const keys = vocabularyKeys(name);
  if (await output.head(keys.json)) return name;

  if (await copyArtifact(cache, output, name)) return name;
  const asked = await readCategories(output, vocabularyInputs(vocabulary.name).categories);
  await makeArtifact(output, name, asked, given, input);
  await copyArtifact(output, cache, name);
  return name;
}

/** Encodes the texts and writes the artifact; its JSON last, so that what has one is whole. */
async function makeArtifact(
  output: ObjectStore,
  name: string,
  asked: readonly Category[],
  given: CategoryGraph | undefined,
  { model, hash, inference }: PrepareInput,
): Promise<void> {
  const keys = vocabularyKeys(name);
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
    calibrated: existsSync(join(model.dir, CALIBRATION)),
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

/** The artifacts of a run's vocabularies, in the order of its record, and the hash of the model that they are for. */
export async function readVocabularies(
  output: ObjectStore,
  artifacts: string,
): Promise<{ model: string; vocabularies: Vocabulary[] }> {
  const read = await Promise.all(splitArtifacts(artifacts).map((name) => readVocabulary(output, name)));
  return { model: read[0]!.model, vocabularies: read.map(({ vocabulary }) => vocabulary) };
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
  { name = null, graph, link }: { name?: string | null } & Pick<PreparedInputs, 'graph' | 'link'>,
): Promise<CategoryGraph | undefined> {
  const keys = vocabularyInputs(name);
  const key = graph !== null ? keys.graph : link === undefined ? undefined : keys.linkedGraph;
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
