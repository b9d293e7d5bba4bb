/**
 * What a second vocabulary costs: one run of `c2srt tag` with both beside the two runs with each alone, over the same
 * files with the same threads, in turns; and the processor time that scoring an image takes, which other work on the
 * machine disturbs less.
 *
 *     npm run bench -- vocabularies [--only demo|vit] [--rounds N] [--images N]
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { createTagger } from '../../model/tagger.ts';
import { textTowerB16, VIT_B16, writeCheckpoint } from '../checkpoint.ts';
import { copyScenes, makePhotos } from '../corpora.ts';
import { median, runTag, type TagRunOptions } from './tagRun.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    images: { type: 'string' },
  },
});

const DEMO = fileURLToPath(new URL('../../assets/demo', import.meta.url));
const MODEL = join(DEMO, 'model');

/** Images and runs of {@link scoringMs}. */
const BATCH = 4;
const RUNS = 6;

async function compare(
  name: string,
  options: Omit<TagRunOptions, 'vocabularies'>,
  folder: string,
): Promise<void> {
  const named = JSON.parse(readFileSync(join(DEMO, 'categories.json'), 'utf8')) as { name: string }[];
  const all = named.map((category) => category.name);
  const first = { first: all };
  const second = { second: all.toReversed() };
  console.log(`\n${name}: two vocabularies of ${all.length} categories, ${options.threads} threads`);
  console.log('           seconds, steady state');
  console.log('  round    both  first  second   both / (first + second)');
  const ratios: number[] = [];
  for (let round = 1; round <= Number(flags.rounds); round++) {
    const secondsOf = async (vocabularies: TagRunOptions['vocabularies']): Promise<number> =>
      (await runTag({ ...options, vocabularies }, folder)).steadyMs / 1000;
    // Who goes first alternates: what a machine does in between (heat, caches) favours neither.
    const before = round % 2 === 1 ? await secondsOf({ ...first, ...second }) : undefined;
    const alone = [await secondsOf(first), await secondsOf(second)] as const;
    const both = before ?? (await secondsOf({ ...first, ...second }));
    ratios.push(both / (alone[0] + alone[1]));
    const cells = [both, ...alone].map((seconds) => seconds.toFixed(1).padStart(6)).join(' ');
    console.log(`  ${String(round).padStart(5)}  ${cells}   ${ratios.at(-1)!.toFixed(3)}`);
  }
  console.log(`  median ratio: ${median(ratios).toFixed(3)}`);
  const [one, two] = [await scoringMs(options.model, all, 1), await scoringMs(options.model, all, 2)];
  console.log(
    `  scoring an image, processor time on one thread: ${two.toFixed(1)} ms with both, ${one.toFixed(1)} ms with one: ${(two / (2 * one)).toFixed(3)}`,
  );
}

/** Processor time of scoring an image with so many vocabularies of these categories, on one thread: of the fastest run. */
async function scoringMs(modelDir: string, categories: readonly string[], count: number): Promise<number> {
  const device = { provider: 'cpu', threads: 1 } as const;
  const model = openModelFolder(modelDir);
  const text = await encodeCategories(
    model,
    categories.map((name) => ({ name })),
    device,
  );
  const asked = categories.length;
  const vocabulary = { text, asked, edges: [], hopOffsets: Array<number>(9).fill(asked) };
  const options = { batchSize: BATCH, embedding: false };
  const tagger = await createTagger(model, Array(count).fill(vocabulary), device, options);
  const pixels = Uint8Array.from({ length: BATCH * tagger.imageBytes }, (_, i) => (i * 31) % 256);
  let bestMs = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    await tagger.run(pixels);
    const { user, system } = process.cpuUsage(before);
    bestMs = Math.min(bestMs, (user + system) / 1000 / BATCH);
  }
  await tagger.release();
  return bestMs;
}

const folder = await mkdtemp(join(tmpdir(), 'c2srt-bench-'));
try {
  const threads = availableParallelism();
  const common = { threads, decodeProcesses: threads, batchSize: 16 };
  if (flags.only !== 'vit') {
    const images = join(folder, 'scenes');
    await copyScenes(join(DEMO, 'scenes'), images, Number(flags.images ?? 3000));
    await compare('demo model (96 px, 1.2 M parameters)', { ...common, images, model: MODEL }, folder);
  }
  if (flags.only !== 'demo') {
    const images = join(folder, 'photos');
    await makePhotos(images, Number(flags.images ?? 96));
    const model = join(folder, 'vit-b16');
    const { text_config } = JSON.parse(readFileSync(join(MODEL, 'config.json'), 'utf8')) as {
      text_config: { vocab_size: number; eos_token_id: number };
    };
    writeCheckpoint(
      model,
      { ...VIT_B16, text: textTowerB16(text_config)!, head: { form: 'anchored', layers: 2, heads: 4 } },
      join(MODEL, 'tokenizer.json'),
    );
    await compare(
      'ViT-B/16-sized model (224 px, random weights, trained head)',
      { ...common, images, model },
      folder,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
