import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSeen } from '../../data/categories.ts';
import { MANIFEST, SUCCESS } from '../../data/run/layout.ts';
import { readJson } from '../../data/run/plan.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import { PREPARED_GRAPH, validationKey } from '../../data/run/trainLayout.ts';
import { encodeSafetensors, readBytes, type WritableTensor } from '../../data/safetensors.ts';
import { isFailure } from '../../data/failure.ts';
import { toHalves } from '../../data/half.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { HEAD_PREFIX } from '../../model/head/shape.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import type { TrainResult, Validation } from '../../workflows/trainTypes.ts';
import { readCategories } from '../prepare.ts';
import { modelCard } from './modelCard.ts';
import { requirePrepared } from './prepare/prepared.ts';
import { readMerged } from './rounds/roundStates.ts';
import { readTrainState } from './rounds/trainState.ts';

/** Files that a trained model has from the one that it started from. */
const INHERITED = [
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'prompts.json',
];

export interface FinishOptions {
  output: ObjectStore;
  record: TrainRecord;
  model: ModelFolder;
  /** The round whose parameters the model gets, and the last one. */
  best: number;
  round: number;
  stoppedEarly: boolean;
}

/**
 * Makes the run's folder a model folder: weights first, configuration after, then the manifest and `_SUCCESS`. The bytes
 * of weights and configuration depend on the run alone, so that attempts that overlap write the same.
 */
export async function finishTraining(options: FinishOptions): Promise<TrainResult> {
  const { output, record, model, best, round, stoppedEarly } = options;
  const { parameters } = await readMerged(output, best);
  await output.put('model.safetensors', encodeWeights(model, parameters, record.spec.settings.precision));
  for (const name of INHERITED) {
    const file = join(model.dir, name);
    if (existsSync(file)) await output.put(name, readFileSync(file));
  }
  const { rounds, validations } = await readTrainState(output);
  const result: TrainResult = {
    rounds: round,
    stoppedEarly,
    bestRound: best,
    start: validations.find((validation) => validation.round === 0) ?? null,
    best: await validationOf(output, best),
    loss: rounds.at(-1)?.loss ?? 0,
    images: rounds.reduce((sum, { images }) => sum + images, 0),
  };
  const config = JSON.parse(readFileSync(join(model.dir, 'config.json'), 'utf8')) as Record<string, unknown>;
  const { ranking } = await requirePrepared(output);
  const categories = record.kind === 'train' ? await readCategories(output) : [];
  if (ranking) {
    config['c2srt'] = ranking.head;
    await putJson(output, 'categories.json', categories.filter(isSeen).map(withoutSplit));
    await output.put('graph.json', (await output.get(PREPARED_GRAPH)).body, {
      contentType: 'application/json',
    });
  }
  await putJson(output, 'metrics.json', { ...result, history: { rounds, validations } });
  await output.put('MODEL_CARD.md', modelCard(record, result, categories), { contentType: 'text/markdown' });
  // What makes the folder a model.
  await putJson(output, 'config.json', config);
  await putJson(output, MANIFEST, { run: record.id, spec: record.spec, result });
  await output.put(SUCCESS, '');
  return result;
}

/** The starting model's tensors as they are, with the trained ones in their place; a head that was not trained is left out. */
function encodeWeights(
  model: ModelFolder,
  parameters: Parameters,
  precision: 'float32' | 'float16',
): Uint8Array {
  const tensors: Record<string, WritableTensor> = {};
  for (const entry of model.tensors.values()) {
    if (parameters.has(entry.name) || entry.name.startsWith(HEAD_PREFIX)) continue;
    tensors[entry.name] = { shape: entry.shape, type: entry.type, bytes: readBytes(entry) };
  }
  for (const [name, { shape, values }] of parameters)
    tensors[name] = { shape, values: precision === 'float16' ? toHalves(values) : values };
  return encodeSafetensors(tensors, { format: 'pt' });
}

async function validationOf(output: ObjectStore, round: number): Promise<Validation | null> {
  try {
    return (await readJson(output, validationKey(round))) as Validation;
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return null;
    throw error;
  }
}

async function putJson(output: ObjectStore, key: string, value: unknown): Promise<void> {
  await output.put(key, JSON.stringify(value, null, 1), { contentType: 'application/json' });
}

function withoutSplit<T extends { split?: unknown }>({ split: _, ...category }: T): Omit<T, 'split'> {
  return category;
}
