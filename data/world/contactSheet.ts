import sharp from 'sharp';
import type { ObjectStore } from '../store/store.ts';
import { firstImages } from './makeWorld.ts';
import { SCENE_PX } from './scene/plan.ts';

const COLUMNS = 12;
const ROWS = 8;
const GAP_PX = 4;

/** A PNG of a finished folder's first scenes, 12 a row, 96 at most. */
export async function contactSheet(store: ObjectStore, count: number): Promise<Uint8Array> {
  const keys = firstImages(count, COLUMNS * ROWS);
  const step = SCENE_PX + GAP_PX;
  const scenes = await Promise.all(
    keys.map(async (key, i) => ({
      input: Buffer.from((await store.get(key)).body),
      left: GAP_PX + (i % COLUMNS) * step,
      top: GAP_PX + Math.floor(i / COLUMNS) * step,
    })),
  );
  const width = GAP_PX + Math.min(COLUMNS, keys.length) * step;
  const height = GAP_PX + Math.ceil(keys.length / COLUMNS) * step;
  return sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite(scenes)
    .png()
    .toBuffer();
}
