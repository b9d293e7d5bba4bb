/** Folders of images to tag, the same on every machine. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomNumbers } from './checkpoint.ts';

/** Different photos; more are copies of these. */
const DISTINCT_PHOTOS = 24;

const nameOf = (index: number): string => `${String(index).padStart(6, '0')}.jpg`;

/** `count` copies of the files of `from`, in turn. */
export async function copyScenes(from: string, to: string, count: number): Promise<void> {
  await mkdir(to, { recursive: true });
  const bodies = await Promise.all((await readdir(from)).sort().map((name) => readFile(join(from, name))));
  for (let i = 0; i < count; i++) await writeFile(join(to, nameOf(i)), bodies[i % bodies.length]!);
}

/** `count` JPEGs of 640 x 480 that cost a decoder what photos do: smooth regions, edges and some grain. */
export async function makePhotos(to: string, count: number): Promise<void> {
  await mkdir(to, { recursive: true });
  for (let i = 0; i < count; i++) {
    const path = join(to, nameOf(i));
    if (i >= DISTINCT_PHOTOS) await copyFile(join(to, nameOf(i % DISTINCT_PHOTOS)), path);
    else await writeFile(path, await photo(i + 1));
  }
}

async function photo(seed: number): Promise<Uint8Array> {
  const [width, height] = [640, 480];
  const random = randomNumbers(seed * 7919);
  const noise = (w: number, h: number) =>
    sharp(
      Uint8Array.from({ length: w * h * 3 }, () => 128 + 127 * random()),
      {
        raw: { width: w, height: h, channels: 3 },
      },
    );
  const smooth = await noise(20, 15).resize(width, height, { kernel: 'cubic' }).png().toBuffer();
  const grain = await noise(width, height).blur(0.7).ensureAlpha(0.12).png().toBuffer();
  return sharp(smooth)
    .composite([{ input: grain }])
    .jpeg({ quality: 85 })
    .toBuffer();
}
