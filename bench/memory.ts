/**
 * Process memory of tagging with a large vocabulary: 7,186 categories with 17 edges each on a ViT-B/16-sized model with
 * a trained head, one image at a time. Each form of the head runs in a process of its own, whose peak counts.
 *
 *     npm run bench -- memory [--form anchored|residual|plain] [--categories N] [--vocabularies N]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { IndexedEdge } from '../data/subgraph.ts';
import { openModelFolder } from '../model/modelFolder.ts';
import { createTagger, type Vocabulary } from '../model/tagger.ts';
import { randomNumbers, VIT_B16, writeCheckpoint } from './checkpoint.ts';

/** What a process of this may use at its peak. */
export const LIMIT_BYTES = 3 * 2 ** 30;

const FORMS = ['anchored', 'residual', 'plain'] as const;
const EDGES_PER_CATEGORY = 17;
const LAYERS = 2;
const IMAGES = 2;

/** What one process says at its end. */
export interface MemoryReport {
  form: string;
  categories: number;
  peakBytes: number;
  /** To make the session, and to tag one image. */
  createMs: number;
  imageMs: number;
}

const { values: flags } = parseArgs({
  options: {
    form: { type: 'string' },
    categories: { type: 'string', default: '7186' },
    /** The categories are split into this many vocabularies. */
    vocabularies: { type: 'string', default: '1' },
    /** Set in the processes that this starts. */
    model: { type: 'string' },
  },
});

/** Categories with random features and edges among them. */
function vocabularyOf(categories: number, d: number, random: () => number): Vocabulary {
  const text = new Float32Array(categories * d);
  for (let row = 0; row < text.length; row += d) {
    const vector = Float32Array.from({ length: d }, random);
    const norm = Math.hypot(...vector);
    text.set(
      vector.map((value) => value / norm),
      row,
    );
  }
  // The tables add each category's edge to itself.
  const edges: IndexedEdge[] = [];
  for (let target = 0; target < categories; target++)
    for (let i = 1; i < EDGES_PER_CATEGORY; i++) {
      const source = (target + i * 37) % categories;
      edges.push({ source, target, relation: 1 + (i % 5), strength: 0.5 });
    }
  return { text, asked: categories, edges, hopOffsets: Array<number>(LAYERS + 1).fill(categories) };
}

/** @param parts vocabularies that the categories are split into */
async function measure(dir: string, form: string, categories: number, parts: number): Promise<MemoryReport> {
  const model = openModelFolder(dir);
  const d = model.config.projection_dim;
  const random = randomNumbers(2);
  const vocabularies = Array.from({ length: parts }, (_, i) =>
    vocabularyOf(Math.floor((categories + i) / parts), d, random),
  );
  const startedMs = performance.now();
  const tagger = await createTagger(
    model,
    vocabularies,
    { provider: 'cpu' },
    { batchSize: 1, embedding: false },
  );
  const createMs = performance.now() - startedMs;
  const pixels = Uint8Array.from({ length: tagger.imageBytes }, () => 128 + 127 * random());
  const ranMs = performance.now();
  for (let i = 0; i < IMAGES; i++) {
    const { scores } = await tagger.run(pixels);
    if (scores.length !== categories || !scores.every(Number.isFinite))
      throw new Error('the scores are not numbers');
  }
  const imageMs = (performance.now() - ranMs) / IMAGES;
  await tagger.release();
  return { form, categories, peakBytes: process.resourceUsage().maxRSS * 1024, createMs, imageMs };
}

async function measureAll(forms: readonly (typeof FORMS)[number][], categories: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'c2srt-memory-'));
  try {
    const tokenizer = fileURLToPath(new URL('../test/golden/tiny/clip/tokenizer.json', import.meta.url));
    for (const form of forms) {
      const dir = join(folder, form);
      writeCheckpoint(dir, { ...VIT_B16, head: { form, layers: LAYERS, heads: 4 } }, tokenizer);
      const own = [import.meta.filename, '--model', dir, '--form', form, '--categories', String(categories)];
      own.push('--vocabularies', flags.vocabularies);
      const { stdout } = await promisify(execFile)(process.execPath, own);
      const report = JSON.parse(stdout) as MemoryReport;
      const { peakBytes, createMs, imageMs } = report;
      const within = peakBytes < LIMIT_BYTES;
      console.log(
        `${form.padEnd(9)} ${categories} categories in ${flags.vocabularies}: peak ${(peakBytes / 2 ** 30).toFixed(2)} GiB (limit 3: ${within ? 'met' : 'NOT met'}), session ${(createMs / 1000).toFixed(1)} s, ${(imageMs / 1000).toFixed(1)} s per image`,
      );
      if (!within) process.exitCode = 1;
      await rm(dir, { recursive: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const forms = FORMS.filter((form) => flags.form === undefined || form === flags.form);
if (flags.model !== undefined)
  console.log(
    JSON.stringify(
      await measure(flags.model, flags.form ?? '', Number(flags.categories), Number(flags.vocabularies)),
    ),
  );
else await measureAll(forms, Number(flags.categories));
