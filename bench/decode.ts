/**
 * What decoding in child processes costs: the same images, decoded by the same code in this process and by pools of
 * one and two children, measured in turns so that a busy machine disturbs all alike.
 *
 *     node bench/decode.ts FOLDER [--images N] [--size S] [--rounds N]
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { createDecodePool } from '../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../data/images/limits.ts';
import { preprocess } from '../data/images/preprocess.ts';
import { parsePreprocessConfig } from '../data/images/preprocessConfig.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '600' },
    size: { type: 'string', default: '224' },
    rounds: { type: 'string', default: '5' },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error('usage: node bench/decode.ts FOLDER [--images N] [--size S] [--rounds N]');
  process.exit(2);
}

// As the children do.
sharp.concurrency(1);
sharp.cache(false);

const images = Number(values.images);
const size = Number(values.size);
const config = parsePreprocessConfig({ size, crop_size: size });
const { maxPixels, timeoutMs } = DEFAULT_IMAGE_LIMITS;
const names = (await readdir(folder)).sort().slice(0, images);
const files = await Promise.all(names.map(async (name) => await readFile(join(folder, name))));

type Decode = (body: Uint8Array) => Promise<unknown>;

/** Milliseconds for `images` decodes, `concurrency` of them open at a time. */
async function measure(decode: Decode, concurrency: number): Promise<number> {
  let next = 0;
  const start = performance.now();
  const lane = async (): Promise<void> => {
    while (next < images) await decode(files[next++ % files.length]!);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return performance.now() - start;
}

const one = createDecodePool({ processes: 1, preprocess: config, maxPixels, timeoutMs });
const two = createDecodePool({ processes: 2, preprocess: config, maxPixels, timeoutMs });
const inProcess: Decode = (body) => preprocess(body, config, maxPixels);
const contestants = [
  { name: 'in-process, 1 at a time', decode: inProcess, concurrency: 1 },
  { name: 'pool of 1', decode: (body: Uint8Array) => one.decode(body), concurrency: 4 },
  { name: 'in-process, 2 at a time', decode: inProcess, concurrency: 2 },
  { name: 'pool of 2', decode: (body: Uint8Array) => two.decode(body), concurrency: 8 },
];
const times = contestants.map((): number[] => []);
// The first round warms everything up and is thrown away.
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [index, { decode, concurrency }] of contestants.entries()) {
    const ms = await measure(decode, concurrency);
    if (round > 0) times[index]!.push(ms);
  }
}
await Promise.all([one.close(), two.close()]);

const rates = times.map((list) => (images / list.sort((a, b) => a - b)[list.length >> 1]!) * 1000);
console.log(
  `${images} decodes of ${files.length} files to ${size} x ${size}; median of ${values.rounds} rounds`,
);
for (const [index, { name }] of contestants.entries()) {
  const ratio = rates[index]! / rates[index - (index % 2)]!;
  console.log(
    `${name.padEnd(26)}${rates[index]!.toFixed(0).padStart(7)} images/s${ratio.toFixed(2).padStart(7)}`,
  );
}
