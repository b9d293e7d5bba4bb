/**
 * Throughput of `c2srt tag` beside a bare loop (bareLoop.ts) over the same files with the same threads, decode
 * processes and batch size, in turns, so that a busy machine disturbs both alike.
 *
 *     npm run bench -- tag [--quick] [--only demo|vit] [--rounds N]
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { LoopOptions, LoopReport } from './bareLoop.ts';
import { textTowerB16, VIT_B16, writeCheckpoint } from '../checkpoint.ts';
import { copyScenes, makePhotos } from '../corpora.ts';
import { median, runTag, type Round } from './tagRun.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    images: { type: 'string' },
    batch: { type: 'string' },
    demo: { type: 'string', default: fileURLToPath(new URL('../../assets/demo', import.meta.url)) },
  },
});

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);

interface Contest {
  name: string;
  /** What `c2srt tag` must reach of the bare loop's throughput. */
  target: number;
  rounds: number;
  loop: LoopOptions;
}

async function runBare(loop: LoopOptions): Promise<Round> {
  const startedMs = performance.now();
  const { stdout } = await run(process.execPath, [here('./bareLoop.ts'), JSON.stringify(loop)]);
  const wholeMs = performance.now() - startedMs;
  return { ...(JSON.parse(stdout) as LoopReport), wholeMs };
}

async function contest({ name, target, rounds, loop }: Contest, folder: string): Promise<boolean> {
  const { threads, decodeProcesses, batchSize, categories, images } = loop;
  const count = (await readdir(images)).length;
  console.log(
    `\n${name}: ${count} images, ${categories.length} categories, ${threads} threads, ${decodeProcesses} decode processes, batches of ${batchSize}`,
  );
  console.log('           images/s, steady state      images/s, whole run');
  console.log('  round    c2srt tag  bare   ratio     c2srt tag  bare   ratio');
  const ratios = { steady: [] as number[], whole: [] as number[] };
  for (let round = 1; round <= rounds; round++) {
    // Who goes first alternates: what a machine does in between (heat, caches) favours neither.
    const first = round % 2 === 1 ? await runBare(loop) : undefined;
    const tag = await runTag({ ...loop, vocabularies: { all: categories } }, folder);
    const bare = first ?? (await runBare(loop));
    if (tag.images !== count || bare.images !== count)
      throw new Error(`of ${count} images, c2srt tag tagged ${tag.images} and the bare loop ${bare.images}`);
    const steady = [tag, bare].map(({ steadyMs }) => (1000 * count) / steadyMs) as [number, number];
    const whole = [tag, bare].map(({ wholeMs }) => (1000 * count) / wholeMs) as [number, number];
    ratios.steady.push(steady[0] / steady[1]);
    ratios.whole.push(whole[0] / whole[1]);
    const cells = ([a, b]: [number, number]) =>
      `${a.toFixed(1).padStart(9)} ${b.toFixed(1).padStart(7)} ${(a / b).toFixed(3).padStart(6)}`;
    console.log(`  ${String(round).padStart(5)}    ${cells(steady)}   ${cells(whole)}`);
  }
  const steady = median(ratios.steady);
  const met = steady >= target;
  console.log(
    `  median ratio, steady state: ${steady.toFixed(3)} (target ${target}: ${met ? 'met' : 'NOT met'}); whole run: ${median(ratios.whole).toFixed(3)}`,
  );
  return met;
}

const threads = availableParallelism();
const decodeProcesses = availableParallelism();
const demoModel = join(flags.demo, 'model');
const folder = await mkdtemp(join(tmpdir(), 'c2srt-bench-'));
try {
  const named = JSON.parse(readFileSync(join(flags.demo, 'categories.json'), 'utf8')) as (
    { name: string } | string
  )[];
  const categories = named.map((category) => (typeof category === 'string' ? category : category.name));
  const common = { categories, threads, decodeProcesses, batchSize: Number(flags.batch ?? 16) };
  const contests: Contest[] = [];
  console.log(
    [
      'The ratio is images per second of `c2srt tag` over those of the bare loop, on the same files.',
      'Steady state: from the start of the first image to the last tags decided (bare loop) or the last receipt put',
      '(`c2srt tag`: rows spooled, both parts written, read back and committed). Whole run: from the start of the',
      'process to its end, with start-up of the model and, for `c2srt tag`, of the Temporal server, the plan and the',
      'end of the run.',
    ].join('\n'),
  );
  if (flags.only !== 'vit') {
    const images = join(folder, 'scenes');
    await copyScenes(join(flags.demo, 'scenes'), images, Number(flags.images ?? (flags.quick ? 2000 : 6000)));
    contests.push({
      name: 'demo model (96 px, 1.2 M parameters)',
      target: 0.75,
      rounds: Number(flags.rounds ?? (flags.quick ? 2 : 3)),
      loop: { ...common, images, model: demoModel },
    });
  }
  if (flags.only !== 'demo') {
    const images = join(folder, 'photos');
    await makePhotos(images, Number(flags.images ?? (flags.quick ? 64 : 160)));
    const model = join(folder, 'vit-b16');
    const { text_config } = JSON.parse(readFileSync(join(demoModel, 'config.json'), 'utf8')) as {
      text_config: { vocab_size: number; eos_token_id: number };
    };
    const { vocab_size, eos_token_id } = text_config;
    const text = textTowerB16({ vocab_size, eos_token_id })!;
    writeCheckpoint(model, { ...VIT_B16, text }, join(demoModel, 'tokenizer.json'));
    contests.push({
      name: 'ViT-B/16-sized model (224 px, random weights)',
      target: 0.95,
      rounds: Number(flags.rounds ?? (flags.quick ? 1 : 3)),
      loop: { ...common, images, model },
    });
  }
  const met: boolean[] = [];
  for (const one of contests) met.push(await contest(one, folder));
  if (met.includes(false)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
