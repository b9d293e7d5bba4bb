/**
 * What tagging costs without the pipeline: files are read and decoded by a pool as `c2srt tag` has it, batch by batch,
 * while a thread runs the model on the batch before; the best categories of every image are picked and forgotten.
 * No plan, no rows, no Parquet, no Temporal. Started by bench/tag/main.ts; prints one JSON line.
 */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createDecodePool } from '../../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import { decideTags, tagDecision } from '../../model/tagDecision.ts';
import { createTagger, type BatchScores } from '../../model/tagger.ts';

/** What both contestants are given. */
export interface LoopOptions {
  images: string;
  model: string;
  categories: string[];
  threads: number;
  decodeProcesses: number;
  batchSize: number;
}

/** What a contestant says at its end. */
export interface LoopReport {
  images: number;
  /** From the first image's start to the last one's tags. */
  steadyMs: number;
}

async function inferenceThread({ model, categories, threads, batchSize }: LoopOptions): Promise<void> {
  const device: DeviceOptions = { provider: 'cpu', threads };
  const folder = openModelFolder(model);
  const names = categories.map((name) => ({ name }));
  const text = await encodeCategories(folder, names, device);
  // Without edges, as both contestants are: what is compared is the way to the model, not the model.
  const vocabulary = { text, asked: names.length, edges: [], hopOffsets: Array(9).fill(names.length) };
  const tagger = await createTagger(folder, [vocabulary], device, { batchSize, embedding: false });
  const port = parentPort!;
  port.on('message', (pixels: Uint8Array<ArrayBuffer> | null) => {
    if (pixels) tagger.run(pixels).then((scores) => port.postMessage(scores), fail);
    else tagger.release().then(() => port.close(), fail);
  });
  port.postMessage('ready');
}

function fail(error: unknown): never {
  throw error;
}

async function loop(options: LoopOptions): Promise<LoopReport> {
  const { images, model, categories, decodeProcesses, batchSize } = options;
  const folder = openModelFolder(model);
  const pool = createDecodePool({
    processes: decodeProcesses,
    preprocess: folder.preprocess,
    ...DEFAULT_IMAGE_LIMITS,
  });
  const thread = new Worker(new URL(import.meta.url), { workerData: options });
  const names = (await readdir(images)).sort();
  const decision = tagDecision({ categories: categories.map((name) => ({ name })) });
  await once(thread, 'message');

  const imageBytes = folder.preprocess.cropSize ** 2 * 3;
  const decodeBatch = async (from: number): Promise<Uint8Array<ArrayBuffer>> => {
    const batch = names.slice(from, from + batchSize);
    const pixels = new Uint8Array(batch.length * imageBytes);
    await Promise.all(
      batch.map(async (name, i) => {
        const decoded = await pool.decode(await readFile(join(images, name)));
        pixels.set(decoded.pixels, i * imageBytes);
      }),
    );
    return pixels;
  };
  const startedMs = performance.now();
  let next = decodeBatch(0);
  let tagged = 0;
  for (let from = 0; from < names.length; from += batchSize) {
    const pixels = await next;
    thread.postMessage(pixels, [pixels.buffer]);
    if (from + batchSize < names.length) next = decodeBatch(from + batchSize);
    const [{ scores }] = (await once(thread, 'message')) as [BatchScores];
    for (let at = 0; at < scores.length; at += categories.length) {
      decideTags(scores.subarray(at, at + categories.length), decision);
      tagged++;
    }
  }
  const steadyMs = performance.now() - startedMs;
  const ended = once(thread, 'exit');
  thread.postMessage(null);
  await Promise.all([ended, pool.close()]);
  return { images: tagged, steadyMs };
}

if (!isMainThread) await inferenceThread(workerData as LoopOptions);
else if (process.argv[1] === import.meta.filename)
  console.log(JSON.stringify(await loop(JSON.parse(process.argv[2]!) as LoopOptions)));
