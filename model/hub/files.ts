import { readFile } from 'node:fs/promises';
import { Failure } from '../../data/failure.ts';
import type { HubFile } from './api.ts';

const WEIGHTS = 'model.safetensors';
const SHARD_INDEX = 'model.safetensors.index.json';
/** What a model folder may hold besides weights and tokenizer. */
const COMPANIONS = [
  'config.json',
  'preprocessor_config.json',
  'prompts.json',
  'categories.json',
  'graph.json',
  'calibration.json',
];
/** Each alternative is a whole tokenizer; the first one that is there is taken. */
const TOKENIZERS = [['tokenizer.json'], ['vocab.json', 'merges.txt']];

/** Whether a listing holds weights in the layout that is read here. */
export function hasSafetensors(listing: HubFile[]): boolean {
  return listing.some((file) => file.path === WEIGHTS || file.path === SHARD_INDEX);
}

/**
 * The files of a listing that make up a model folder. `index` is among `chosen` where the weights come in shards, which
 * are then named by {@link shardNames}.
 *
 * @throws Failure `Hub.Incomplete` without `config.json` or a tokenizer.
 */
export function chooseFiles(
  model: { name: string; revision: string },
  listing: HubFile[],
): { chosen: HubFile[]; index: HubFile | undefined } {
  const byPath = new Map(listing.map((file) => [file.path, file]));
  const tokenizer = TOKENIZERS.find((paths) => paths.every((path) => byPath.has(path)));
  if (!byPath.has('config.json')) throw incomplete(model, 'config.json');
  if (tokenizer === undefined) throw incomplete(model, 'tokenizer.json (or vocab.json and merges.txt)');
  const weights = byPath.has(WEIGHTS) ? WEIGHTS : SHARD_INDEX;
  const chosen = [...COMPANIONS, ...tokenizer, weights].flatMap((path) => byPath.get(path) ?? []);
  return { chosen, index: weights === SHARD_INDEX ? byPath.get(SHARD_INDEX) : undefined };
}

/**
 * The shards that an index file on disk names, in the listing.
 *
 * @throws Failure `Hub.Incomplete` where it names one that is not there, or is no index.
 */
export async function shardNames(
  model: { name: string; revision: string },
  indexPath: string,
  listing: HubFile[],
): Promise<HubFile[]> {
  const index = JSON.parse(await readFile(indexPath, 'utf8')) as { weight_map?: Record<string, string> };
  const names = [...new Set(Object.values(index.weight_map ?? {}))].sort();
  if (names.length === 0) throw incomplete(model, `a weight map in ${SHARD_INDEX}`);
  return names.map((name) => {
    const file = /^[\w.-]+$/.test(name) ? listing.find((candidate) => candidate.path === name) : undefined;
    if (file === undefined) throw incomplete(model, `${name}, which ${SHARD_INDEX} names`);
    return file;
  });
}

function incomplete(model: { name: string; revision: string }, what: string): Failure {
  const uri = `hub:${model.name}@${model.revision}`;
  return new Failure('Hub.Incomplete', `${uri} has no ${what}`, {
    subject: uri,
    hint: 'Use a CLIP checkpoint in the layout of the transformers library.',
  });
}
