import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { RUN_RECORD, SUCCESS } from '../../data/run/layout.ts';
import { fileUri } from '../../data/store/file/file.ts';
import { DEMO, readDemoCategories, readDemoLabels } from './assets.ts';

/** Of the scenes: so many are held back, so many are tested on, and the others are trained on. */
const HELD = 60;
const TESTED = 140;

const MODEL_NAME = 'scenes';

/** Another provider of the category graph than WordNet: a language model at an OpenAI-compatible endpoint. */
export interface DemoLlm {
  llm: string;
  baseUrl: string;
}

export const configFile = (root: string): string => join(root, 'c2srt.yaml');

/** Writes the scenes' manifests, their categories and the configuration of a pipeline into a folder. */
export async function writeDemoPipeline(root: string, llm: DemoLlm | undefined): Promise<void> {
  await mkdir(root, { recursive: true });
  const rows = [...readDemoLabels()].map(([key, labels]) => ({
    uri: fileUri(join(DEMO.scenes, key)),
    labels: [...labels],
  }));
  const parts = {
    test: rows.slice(0, TESTED),
    validation: rows.slice(TESTED, TESTED + HELD),
    train: rows.slice(TESTED + HELD),
  };
  for (const [name, part] of Object.entries(parts))
    await writeFile(join(root, `${name}.jsonl`), part.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await writeFile(join(root, 'categories.json'), JSON.stringify(readDemoCategories(), null, 1));
  await writeFile(configFile(root), stringify(configuration(llm)));
}

const configuration = (llm: DemoLlm | undefined): object => ({
  model: DEMO.model,
  ...(llm && { llmBaseUrl: llm.baseUrl }),
  retrain: {
    name: MODEL_NAME,
    store: './store',
    data: './train.jsonl',
    validation: './validation.jsonl',
    test: './test.jsonl',
    categories: './categories.json',
    tagSource: DEMO.scenes,
  },
  graph: llm ? { provider: 'llm', llm: llm.llm } : { provider: 'wordnet' },
  train: { shards: 2, epochs: 6, batchSize: 32, localSteps: 8 },
  gate: {
    rules: [
      { metric: 'F1@3', categories: 'all', against: 'clip-isr', test: 'difference' },
      { metric: 'mAP', categories: 'all', against: 'production', tolerance: 0.5 },
    ],
  },
});

/** The latest retraining in a folder, and whether it has finished. */
export async function latestRun(root: string): Promise<{ folder: string; isFinished: boolean } | undefined> {
  const runs = join(root, 'store', 'runs');
  const names = (await readdir(runs).catch(() => [])).sort();
  // A folder without a record is of a command that ended before there was a run.
  const last = names.filter((name) => existsSync(join(runs, name, RUN_RECORD))).at(-1);
  if (last === undefined) return undefined;
  const folder = join(runs, last);
  return { folder, isFinished: existsSync(join(folder, SUCCESS)) };
}
