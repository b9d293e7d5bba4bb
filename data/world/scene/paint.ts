import type { Sprite } from '../art/sprites.ts';
import { SCENE_PX, type ColourChange, type PlannedObject } from './plan.ts';

/** A scene on its way. */
export interface Canvas {
  /** RGB, 8 bits each [SCENE_PX, SCENE_PX, 3]. */
  pixels: Uint8Array;
  /** Which object is on top at each pixel, from 1; 0 for the background [SCENE_PX, SCENE_PX]. */
  owners: Uint8Array;
}

/** Opacity, of 255, from which a pixel is the object's and not that of what lies behind. */
const OPAQUE = 128;

/** Paints an object over what is there; `owner` is its number, from 1. */
export function paintObject(canvas: Canvas, object: PlannedObject, sprite: Sprite, owner: number): void {
  const { width, height } = sprite[0]!;
  const scale = object.size / Math.max(width, height);
  // The smallest raster that is not much smaller than what is painted: what is scaled down further would flicker.
  const level = sprite.findLastIndex((raster) => raster.width >= 0.75 * scale * width);
  const raster = sprite[Math.max(0, level)]!;
  const toRaster = raster.width / (scale * width);
  const cos = Math.cos(object.turn);
  const sin = Math.sin(object.turn);
  const halfWidth = (scale * (width * Math.abs(cos) + height * Math.abs(sin))) / 2 + 1;
  const halfHeight = (scale * (width * Math.abs(sin) + height * Math.abs(cos))) / 2 + 1;
  const matrix = colourMatrix(object.colours);
  const sampled = new Float64Array(4);

  const lastRow = Math.min(SCENE_PX - 1, Math.ceil(object.y + halfHeight));
  const lastColumn = Math.min(SCENE_PX - 1, Math.ceil(object.x + halfWidth));
  for (let y = Math.max(0, Math.floor(object.y - halfHeight)); y <= lastRow; y++)
    for (let x = Math.max(0, Math.floor(object.x - halfWidth)); x <= lastColumn; x++) {
      const dx = x + 0.5 - object.x;
      const dy = y + 0.5 - object.y;
      const across = (dx * cos + dy * sin) * (object.mirrored ? -1 : 1);
      const down = dy * cos - dx * sin;
      samplePremultiplied(
        raster,
        across * toRaster + raster.width / 2 - 0.5,
        down * toRaster + raster.height / 2 - 0.5,
        sampled,
      );
      const [red, green, blue, alpha] = sampled as unknown as [number, number, number, number];
      if (alpha < 1) continue;
      const at = y * SCENE_PX + x;
      for (let channel = 0; channel < 3; channel++) {
        const row = 3 * channel;
        const value = matrix[row]! * red + matrix[row + 1]! * green + matrix[row + 2]! * blue;
        const behind = canvas.pixels[3 * at + channel]! * (1 - alpha / 255);
        canvas.pixels[3 * at + channel] = Math.round(Math.min(alpha, Math.max(0, value)) + behind);
      }
      if (alpha >= OPAQUE) canvas.owners[at] = owner;
    }
}

/** The colour at a point between four pixels; clear outside. `out` is red, green, blue, alpha. */
function samplePremultiplied(
  { width, height, pixels }: Sprite[number],
  x: number,
  y: number,
  out: Float64Array,
): void {
  out.fill(0);
  const left = Math.floor(x);
  const above = Math.floor(y);
  if (left < -1 || above < -1 || left >= width || above >= height) return;
  for (let corner = 0; corner < 4; corner++) {
    const column = left + (corner & 1);
    const row = above + (corner >> 1);
    if (column < 0 || row < 0 || column >= width || row >= height) continue;
    const weight = (1 - Math.abs(x - column)) * (1 - Math.abs(y - row));
    const at = (row * width + column) * 4;
    for (let channel = 0; channel < 4; channel++) out[channel]! += weight * pixels[at + channel]!;
  }
}

/**
 * The 3x3 matrix of a change of colours, by rows: a rotation about the grey axis, then a blend with the grey value, then a
 * factor. It may be applied to premultiplied colours.
 */
function colourMatrix({ hue, saturation, brightness }: ColourChange): number[] {
  const cos = Math.cos(hue);
  const along = (1 - cos) / 3;
  const beside = Math.sin(hue) * Math.sqrt(1 / 3);
  const rotation = [
    [cos + along, along - beside, along + beside],
    [along + beside, cos + along, along - beside],
    [along - beside, along + beside, cos + along],
  ];
  const grey = (1 - saturation) / 3;
  return rotation.flatMap((row) => row.map((value) => brightness * (saturation * value + grey)));
}
