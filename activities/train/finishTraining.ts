import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSeen } from '../../data/categories.ts';
import { MANIFEST, SUCCESS } from '../../data/run/layout.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import { readTrainCourse, type TrainCourse } from '../../data/training/trainCourse.ts';
import { PREPARED_GRAPH } from '../../data/training/trainLayout.ts';
import { encodeSafetensors, readBytes, type WritableTensor } from '../../data/safetensors.ts';
import { toHalves } from '../../data/half.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { HEAD_PREFIX } from '../../model/head/shape.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import type { TrainResult } from '../../workflows/train/trainTypes.ts';
import { readCategories } from '../prepare.ts';
import { modelCard } from './modelCard.ts';
import { requirePrepared } from './prepare/prepared.ts';
import { readMerged } from './rounds/roundStates.ts';

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

export interface ModelOptions {
  output: ObjectStore;
  record: TrainRecord;
  /** The model that training started from. */
  model: ModelFolder;
  /** The round whose parameters the model gets, and the last one. */
  best: number;
  round: number;
  stoppedEarly: boolean;
}

/** Makes the run's folder a model folder, then writes the manifest and `_SUCCESS`. */
export async function finishTraining(options: ModelOptions): Promise<TrainResult> {
  const { output, record } = options;
  const { result, unread } = await writeModel(options, '');
  await putJson(output, MANIFEST, { run: record.id, spec: record.spec, result, unread });
  await output.put(SUCCESS, '');
  return result;
}

/**
 * Writes a model folder below `prefix`: weights first, the configuration, without which it is no model, last. The bytes
 * of weights and configuration depend on the run alone, so that attempts that overlap write the same.
 */
export async function writeModel(
  options: ModelOptions,
  prefix: string,
): Promise<{ result: TrainResult; unread: TrainCourse['unread'] }> {
  const { output, record, model, best, round, stoppedEarly } = options;
  const { parameters } = await readMerged(output, best);
  const { precision } = record.spec.settings;
  await output.put(`${prefix}model.safetensors`, encodeWeights(model, parameters, precision));
  for (const name of INHERITED) {
    const file = join(model.dir, name);
    if (existsSync(file)) await output.put(prefix + name, readFileSync(file));
  }
  const { rounds, validations, unread } = await readTrainCourse(output);
  const validationOf = (wanted: number) => validations.find((known) => known.round === wanted) ?? null;
  const result: TrainResult = {
    rounds: round,
    stoppedEarly,
    bestRound: best,
    start: validationOf(0),
    best: validationOf(best),
    loss: rounds.at(-1)?.loss ?? 0,
    images: rounds.reduce((sum, { images }) => sum + images, 0),
    failed: unread.training.byCode,
  };
  const config = JSON.parse(readFileSync(join(model.dir, 'config.json'), 'utf8')) as Record<string, unknown>;
  const { ranking } = await requirePrepared(output);
  const categories = record.kind === 'train' ? await readCategories(output) : [];
  if (ranking) {
    config['c2srt'] = ranking.head;
    await putJson(output, `${prefix}categories.json`, categories.filter(isSeen).map(withoutSplit));
    await output.put(`${prefix}graph.json`, (await output.get(PREPARED_GRAPH)).body, {
      contentType: 'application/json',
    });
  }
  await putJson(output, `${prefix}metrics.json`, { ...result, unread, history: { rounds, validations } });
  await output.put(`${prefix}MODEL_CARD.md`, modelCard(record, result, unread, categories), {
    contentType: 'text/markdown',
  });
  await putJson(output, `${prefix}config.json`, config);
  return { result, unread };
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

async function putJson(output: ObjectStore, key: string, value: unknown): Promise<void> {
  await output.put(key, JSON.stringify(value, null, 1), { contentType: 'application/json' });
}

function withoutSplit<T extends { split?: unknown }>({ split: _, ...category }: T): Omit<T, 'split'> {
  return category;
}
