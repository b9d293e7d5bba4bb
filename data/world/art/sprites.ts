import sharp from 'sharp';
import type { IconSet } from './iconSet.ts';

/** Premultiplied RGBA, 8 bits each, rows from the top. */
export interface Raster {
  width: number;
  height: number;
  pixels: Uint8Array;
}

/** A picture without its margin, in halving sizes, the largest (of side {@link SPRITE_PX}) first. */
export type Sprite = readonly Raster[];

/** The longer side of a sprite's largest raster, in pixels. */
export const SPRITE_PX = 96;
const LEVELS = 4;

/** The sprites of icon sets, each rendered when it is first asked for. */
export interface Sprites {
  get: (set: IconSet, icon: string) => Promise<Sprite>;
}

export function createSprites(): Sprites {
  const rendered = new Map<string, Promise<Sprite>>();
  return {
    get(set, icon) {
      const name = `${set.style.name}/${icon}`;
      const known = rendered.get(name) ?? renderSprite(set.svg(icon));
      rendered.set(name, known);
      return known;
    },
  };
}

async function renderSprite(svg: string): Promise<Sprite> {
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .trim({ background: { r: 0, g: 0, b: 0, alpha: 0 }, threshold: 1 })
    .resize(SPRITE_PX, SPRITE_PX, { fit: 'inside' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(data);
  for (let at = 0; at < pixels.length; at += 4)
    for (let channel = at; channel < at + 3; channel++)
      pixels[channel] = Math.round((pixels[channel]! * pixels[at + 3]!) / 255);
  const levels: Raster[] = [{ width: info.width, height: info.height, pixels }];
  while (levels.length < LEVELS) levels.push(halved(levels.at(-1)!));
  return levels;
}

/** Each pixel is the mean of four; an odd last row or column counts twice. */
function halved({ width, height, pixels }: Raster): Raster {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const out = new Uint8Array(half.width * half.height * 4);
  for (let y = 0; y < half.height; y++)
    for (let x = 0; x < half.width; x++) {
      const left = 2 * x;
      const right = Math.min(left + 1, width - 1);
      const above = 2 * y * width;
      const below = Math.min(2 * y + 1, height - 1) * width;
      for (let channel = 0; channel < 4; channel++) {
        const at = (pixel: number): number => pixels[pixel * 4 + channel]!;
        const sum = at(above + left) + at(above + right) + at(below + left) + at(below + right);
        out[(y * half.width + x) * 4 + channel] = (sum + 2) >> 2;
      }
    }
  return { ...half, pixels: out };
}
