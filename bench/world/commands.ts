/** `c2srt train` and `c2srt tag` as anyone runs them, each a process of its own. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { agreementOf } from '../../cli/demo/agreement.ts';
import type { Agreement } from '../../cli/demo/assets.ts';
import { readParts } from '../../cli/demo/report.ts';
import type { SplitName, World } from './data.ts';

const COMMAND = fileURLToPath(new URL('../../cli/c2srt.mjs', import.meta.url));

export interface TrainingFlags {
  seed: number;
  shards: number;
  /** Configuration file, for other settings than the default ones. */
  config?: string;
}

/** How a training went, as its model folder tells it. */
export interface Training {
  rounds: number;
  /** The round whose parameters the model has. */
  bestRound: number;
  /** Of the last round. */
  loss: number;
  /** Of the rounds together, without what comes before, between and after them. */
  seconds: number;
}

const metricsSchema = z.object({
  rounds: z.int(),
  bestRound: z.int(),
  loss: z.number(),
  history: z.object({ rounds: z.array(z.object({ seconds: z.number() })) }),
});

/** Trains into the folder `out`, or goes on with what is there. */
export async function train(
  world: World,
  work: string,
  out: string,
  flags: TrainingFlags,
): Promise<Training> {
  const { seed, shards, config } = flags;
  await c2srt(work, [
    ...['train', '--data', world.manifest('train'), '--validation', world.manifest('val')],
    ...['--model', world.model, '--categories', world.categoriesFile, '--graph', world.graph, '--out', out],
    ...[
      '--seed',
      String(seed),
      '--shards',
      String(shards),
      ...(config === undefined ? [] : ['--config', config]),
    ],
  ]);
  const metrics: unknown = JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8'));
  const { rounds, bestRound, loss, history } = metricsSchema.parse(metrics);
  return { rounds, bestRound, loss, seconds: history.rounds.reduce((sum, round) => sum + round.seconds, 0) };
}

/** Tags a split's images with a model, all scores kept, and compares the rows with the truth. */
export async function evaluateModel(
  world: World,
  work: string,
  model: string,
  split: SplitName,
): Promise<Agreement> {
  const out = join(work, 'tagged');
  await rm(out, { recursive: true, force: true });
  await c2srt(work, [
    ...['tag', world.images(split), '--out', out, '--model', model],
    ...['--categories', world.categoriesFile, '--top-k', String(world.categories.length)],
    // The model's own graph would be given links from WordNet for categories that lost their sources with a quarter held back.
    ...['--graph', world.graph],
  ]);
  return agreementOf(await readParts(join(out, 'tags')), world.labels(split), world.categories);
}

/** Runs a command to its end; where it fails, what it said is in the error. */
async function c2srt(work: string, args: readonly string[]): Promise<void> {
  // Whatever server the shell's environment names is for other runs.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  await promisify(execFile)(
    process.execPath,
    [COMMAND, ...args, '--json', '--state-dir', join(work, 'state')],
    { cwd: work, env: Object.fromEntries(own) },
  );
}
