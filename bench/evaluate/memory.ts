/**
 * Process memory of an evaluation's figures: made-up scores of 7,586 categories (Open Images' seen and unseen ones), in
 * the parts that the real stage writes, then the real stages after it, in a process of their own whose peak counts.
 *
 *     npm run bench -- memory --evaluate [--images 5000,20000] [--categories N] [--systems 1|2]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { finishEvaluation } from '../../activities/evaluate/figures/finishEvaluation.ts';
import { fitCalibration } from '../../activities/evaluate/figures/fitCalibration.ts';
import { measureCategories } from '../../activities/evaluate/figures/measureCategories.ts';
import { commitPrepared, stripesOf } from '../../activities/evaluate/prepare/prepared.ts';
import { readCategories } from '../../activities/prepare.ts';
import type { Category } from '../../data/categories.ts';
import { evaluateSettingsSchema } from '../../data/config/evaluateSchema.ts';
import { readSnapshotRows } from '../../data/dataset/snapshot.ts';
import { evaluationSnapshotFolder } from '../../data/evaluation/evaluateLayout.ts';
import { writeEvaluateRun } from '../../data/evaluation/evaluateRun.ts';
import { writeEvaluationSnapshots } from '../../data/evaluation/evaluationSnapshots.ts';
import { commitScores, TENSORS } from '../../data/evaluation/scoreParts.ts';
import { requireEvaluateRun } from '../../data/run/requireRun.ts';
import type { WritableTensor } from '../../data/safetensors.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { randomNumbers } from '../checkpoint.ts';

/** What a process of this may use at its peak, whatever the number of images. */
export const LIMIT_BYTES = 0.75 * 2 ** 30;

const SHARD_SIZE = 512;
const LABELS_PER_IMAGE = 9;
const GROUPS = 3;
const SYSTEMS = ['candidate', 'clip'] as const;

const { values: flags } = parseArgs({
  options: {
    evaluate: { type: 'boolean' },
    images: { type: 'string', default: '5000,20000' },
    categories: { type: 'string', default: '7586' },
    systems: { type: 'string', default: '2' },
    /** Set in the processes that this starts. */
    folder: { type: 'string' },
  },
});
const systems = SYSTEMS.slice(0, Number(flags.systems));

interface Report {
  peakBytes: number;
  seconds: number;
}

/** A run's folder as it is when all images are scored. */
async function writeScored(output: ObjectStore, images: number, categories: number): Promise<void> {
  const random = randomNumbers(images);
  const whole = (count: number) => Math.floor((count * (random() + 1)) / 2) % count;
  const names: Category[] = Array.from({ length: categories }, (_, c) => ({
    name: `category ${c}`,
    aliases: [],
    prompts: [],
    split: c < 0.95 * categories ? 'seen' : 'unseen',
  }));
  const lines = Array.from({ length: images }, (_, i) => {
    const labels = Array.from({ length: LABELS_PER_IMAGE }, () => `category ${whole(categories)}`);
    return JSON.stringify({ uri: `/images/${i}.jpg`, labels: [...new Set(labels)] });
  });
  const manifest = `${output.uri}/test.jsonl`;
  await output.put('test.jsonl', lines.join('\n'));
  const settings = evaluateSettingsSchema.parse({ topK: [10, 20], shardSize: SHARD_SIZE });
  await writeEvaluateRun(
    output,
    {
      ...{ test: manifest, validation: null, vocabulary: '', graph: null, model: 'file:///model' },
      ...{ production: null, base: null, settings },
    },
    { categories: names },
  );
  const { spec } = await requireEvaluateRun(output);
  const { signal } = new AbortController();
  await writeEvaluationSnapshots(output, {
    ...{ spec, categories: names, openStore, signal, report: () => undefined },
  });
  await commitPrepared(output, {
    version: 1,
    plan: {
      ...{ images, validationImages: 0, shardSize: SHARD_SIZE },
      stripes: stripesOf(categories),
    },
    scorers: systems.map((system) => ({
      ...{ systems: [system], model: 'file:///model', hash: '', vocabulary: '', trainingFree: null },
    })),
  });
  for (let shard = 0; shard * SHARD_SIZE < images; shard++) {
    const from = shard * SHARD_SIZE;
    const rows = await readSnapshotRows(
      output,
      evaluationSnapshotFolder('test'),
      from,
      Math.min(images, from + SHARD_SIZE),
    );
    const n = rows.length;
    const tensors = systems.flatMap((system): [string, WritableTensor][] => {
      const scores = Float32Array.from({ length: categories * n }, () => 0.2 * random());
      rows.forEach(({ present }, i) => {
        for (const category of present) scores[category * n + i]! += 0.1;
      });
      const hits = new Float32Array(GROUPS * 2 * n).fill(1);
      return [
        [TENSORS.scores(system), { shape: [categories, n], values: scores }],
        [TENSORS.hits(system), { shape: [GROUPS, 2, n], values: hits }],
      ];
    });
    const positives = { shape: [GROUPS, n], values: new Float32Array(GROUPS * n).fill(LABELS_PER_IMAGE) };
    await commitScores(output, {
      ...{ snapshot: 'test', shard, attempt: 'bench', images: n, failed: [], fingerprint: {} },
      tensors: Object.fromEntries([...tensors, [TENSORS.positives, positives]]),
    });
  }
}

/** What comes after the scores. */
async function measure(output: ObjectStore): Promise<Report> {
  const startedMs = performance.now();
  const record = await requireEvaluateRun(output);
  const run = {
    ...{ output, spec: record.spec, categories: await readCategories(output), openStore },
    ...{ signal: new AbortController().signal, report: () => undefined },
  };
  await fitCalibration(run);
  for (let stripe = 0; stripe < stripesOf(run.categories.length); stripe++)
    await measureCategories({ ...run, stripe });
  await finishEvaluation({ ...run, record });
  return {
    peakBytes: process.resourceUsage().maxRSS * 1024,
    seconds: (performance.now() - startedMs) / 1000,
  };
}

async function measureAll(): Promise<void> {
  const categories = Number(flags.categories);
  for (const images of flags.images.split(',').map(Number)) {
    const folder = await mkdtemp(join(tmpdir(), 'c2srt-evaluate-'));
    try {
      await writeScored(openStore(folder), images, categories);
      const own = [import.meta.filename, '--folder', folder, '--systems', flags.systems];
      const { stdout } = await promisify(execFile)(process.execPath, own);
      const { peakBytes, seconds } = JSON.parse(stdout) as Report;
      const within = peakBytes < LIMIT_BYTES;
      const scores = (4 * images * categories) / 2 ** 30;
      console.log(
        `${images} images x ${categories} categories, ${scores.toFixed(2)} GiB of scores for each of ${systems.length} systems: peak ${(peakBytes / 2 ** 30).toFixed(2)} GiB (limit 0.75: ${within ? 'met' : 'NOT met'}), ${seconds.toFixed(0)} s`,
      );
      if (!within) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

if (flags.folder !== undefined) console.log(JSON.stringify(await measure(openStore(flags.folder))));
else await measureAll();
