/**
 * Process memory of a training step: two trained blocks of ViT-B/16, a large vocabulary of 17 edges per category. Each
 * form of the head runs in a process of its own, whose peak counts, beside parameters and the optimiser's state.
 *
 *     npm run bench -- memory --train [--form FORM] [--categories N] [--batch-size N] [--max-categories N] [--micro-batch N]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { HeadSettings } from '../../model/clip/config.ts';
import { initialState } from '../../model/train/adamw.ts';
import { createRankingObjective } from '../../model/ranking/rankingObjective.ts';
import { microBatchFor, stepBytes, type StepSizes } from '../../model/ranking/stepMemory.ts';
import { createTrainer } from '../../model/train/trainer.ts';
import { adamwSettings, readStepCase, SETTINGS, vitCase, writeStepCase } from './cases.ts';

/** What a step may use at its peak beside parameters and optimiser state. */
const LIMIT_BYTES = 4 * 2 ** 30;

const FORMS = ['anchored', 'residual', 'plain'] as const;
const IN_DEGREE = 17;
const STEPS = 2;

/** What one process says at its end. */
interface Report {
  microBatch: number;
  peakBytes: number;
  /** Of parameters and both moments. */
  stateBytes: number;
  /** What the run of a micro-batch was expected to take. */
  expectedBytes: number;
  /** What it took: the growth of the process over the steps, beside their results. */
  runBytes: number;
  stepMs: number;
}

const { values: flags } = parseArgs({
  options: {
    train: { type: 'boolean' },
    form: { type: 'string' },
    categories: { type: 'string', default: '7186' },
    'batch-size': { type: 'string', default: '32' },
    'max-categories': { type: 'string', default: '1024' },
    'micro-batch': { type: 'string' },
    /** Set in the processes that this starts. */
    case: { type: 'string' },
  },
});

async function measure(dir: string, maxCategories: number): Promise<Report> {
  const { step, parameters, options, batch } = readStepCase(dir);
  const vision = options.config.vision_config;
  const sizes: StepSizes = {
    tokens: 1 + (vision.image_size / vision.patch_size) ** 2,
    width: vision.hidden_size,
    intermediate: vision.intermediate_size,
    attentionHeads: vision.num_attention_heads,
    blocks: options.trainedBlocks,
    nodes: Math.min(maxCategories, step.categories),
    edges: step.inDegree,
    d: options.config.projection_dim,
    layers: options.headShape?.layers ?? 0,
  };
  const microBatch =
    flags['micro-batch'] === undefined ? microBatchFor(sizes, step.batch) : Number(flags['micro-batch']);
  const device = { provider: 'cpu' as const };
  const objective = await createRankingObjective({ ...options, maxCategories, microBatch }, device);
  const trainer = await createTrainer(objective, parameters, adamwSettings, device);
  let state = initialState(parameters);
  const parameterBytes = [...parameters.values()].reduce((sum, { values }) => sum + values.byteLength, 0);
  const beforeBytes = process.memoryUsage.rss();
  // Gradients alone first: an update holds two states, but then the tensors of the step are free.
  await objective.gradients(parameters, batch);
  const runBytes = peakOfProcess() - beforeBytes - 2 * parameterBytes;
  const startedMs = performance.now();
  for (let i = 0; i < STEPS; i++) ({ state } = await trainer.step(state, batch, SETTINGS.rates));
  const stepMs = (performance.now() - startedMs) / STEPS;
  await trainer.release();
  const expectedBytes = stepBytes(sizes, microBatch);
  return {
    microBatch,
    peakBytes: peakOfProcess(),
    stateBytes: 3 * parameterBytes,
    expectedBytes,
    runBytes,
    stepMs,
  };
}

const peakOfProcess = (): number => process.resourceUsage().maxRSS * 1024;

async function measureAll(forms: readonly HeadSettings['form'][]): Promise<void> {
  const categories = Number(flags.categories);
  const batch = Number(flags['batch-size']);
  for (const form of forms) {
    const dir = await mkdtemp(join(tmpdir(), 'c2srt-memory-'));
    try {
      writeStepCase(dir, vitCase(form, { categories, inDegree: IN_DEGREE, batch }));
      const own = [import.meta.filename, '--case', dir, '--max-categories', flags['max-categories']];
      if (flags['micro-batch'] !== undefined) own.push('--micro-batch', flags['micro-batch']);
      const { stdout } = await promisify(execFile)(process.execPath, own);
      const report = JSON.parse(stdout) as Report;
      const { microBatch, peakBytes, stateBytes, expectedBytes, runBytes, stepMs } = report;
      const besideBytes = peakBytes - stateBytes;
      const within = besideBytes <= LIMIT_BYTES;
      console.log(
        `${form.padEnd(9)} ${categories} categories, at most ${flags['max-categories']} a step, batch ${batch} in parts of ${microBatch}: peak ${gib(besideBytes)} GiB beside ${gib(stateBytes)} GiB of parameters and moments (limit 4: ${within ? 'met' : 'NOT met'}); a part took ${gib(runBytes)} GiB, expected at most ${gib(expectedBytes)}; ${(stepMs / 1000).toFixed(1)} s per step`,
      );
      if (!within) process.exitCode = 1;
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
}

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2);

if (flags.case !== undefined)
  console.log(JSON.stringify(await measure(flags.case, Number(flags['max-categories']))));
else await measureAll(FORMS.filter((form) => flags.form === undefined || form === flags.form));
