/** A retraining pipeline on the bundled scenes, in a folder with its configuration and its store. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DEMO_CATEGORIES, DEMO_MODEL, scenes, writeManifest, type Scene } from '../demoTraining.ts';
import type { Workplace } from '../workplace.ts';

/** Images that are trained on, held back, and tested on. */
const TRAINED = 32;
const HELD = 12;
const TESTED = 20;

/** A training of a few seconds. */
const TRAIN = { epochs: 4, shards: 2, batchSize: 8, localSteps: 2, warmupSteps: 2, maxCategories: 32 };

export interface PipelineChange {
  retrain?: Record<string, unknown>;
  train?: Record<string, unknown>;
  graph?: Record<string, unknown>;
  gate?: Record<string, unknown>;
  more?: Record<string, unknown>;
}

/** Writes manifests and `c2srt.yaml` into the workplace. */
export async function writePipelineFiles(place: Workplace, change: PipelineChange = {}): Promise<void> {
  const images = scenes(0, TRAINED + HELD + TESTED);
  await writeManifest(place.path('train.jsonl'), images.slice(0, TRAINED));
  await writeManifest(place.path('validation.jsonl'), images.slice(TRAINED, TRAINED + HELD));
  await writeManifest(place.path('test.jsonl'), images.slice(TRAINED + HELD));
  await writeConfig(place, change);
}

export async function writeConfig(place: Workplace, change: PipelineChange = {}): Promise<void> {
  const config = {
    model: DEMO_MODEL,
    ...change.more,
    retrain: {
      name: 'scenes',
      store: './store',
      data: './train.jsonl',
      validation: './validation.jsonl',
      test: './test.jsonl',
      categories: DEMO_CATEGORIES,
      ...change.retrain,
    },
    train: { ...TRAIN, ...change.train },
    ...(change.graph && { graph: change.graph }),
    evaluate: { resamples: 50, minPositives: 3 },
    gate: { rules: [{ metric: 'mAP', categories: 'all', tolerance: 100 }], ...change.gate },
  };
  await writeFile(place.path('c2srt.yaml'), stringify(config));
}

/** More images to train on: another snapshot. */
export const growData = (place: Workplace, images: number): Promise<void> =>
  writeManifest(place.path('train.jsonl'), [
    ...scenes(0, TRAINED),
    ...scenes(TRAINED + HELD + TESTED, TRAINED + HELD + TESTED + images),
  ] satisfies Scene[]);

/** Folders of a kind among the artifacts. */
export const artifactsOf = async (place: Workplace, kind: string, store = 'store'): Promise<string[]> =>
  (await readdir(place.path(store, 'artifacts')).catch(() => [])).filter((name) =>
    name.startsWith(`${kind}-`),
  );

/** The version that an alias names; undefined where there is none. */
export async function productionIn(place: Workplace, store = 'store'): Promise<string | undefined> {
  const file = place.path(store, 'models', 'scenes', 'aliases', 'production.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as { model: string }).model;
}

/** Folders of the retrainings so far, in order. */
export const runsIn = async (place: Workplace, store = 'store'): Promise<string[]> =>
  (await readdir(place.path(store, 'runs')).catch(() => []))
    .sort()
    .map((name) => join(place.path(store, 'runs'), name));
