import type { Rectangle } from './geometry.ts';
import type { PreprocessConfig } from './preprocessConfig.ts';

/**
 * PIL's resize, value for value: its filters, widened when shrinking, in fixed point, 8 bits between the two passes.
 * CLIP's own preprocessing is exactly this. The order of the passes is Pillow 13's; earlier ones mix columns first
 * always, which differs by the rounding of images about twice as high as wide.
 */
export interface Resize {
  /** Size of the whole image, in pixels. */
  width: number;
  height: number;
  /** What the whole image is resized to. */
  toWidth: number;
  toHeight: number;
  kernel: PreprocessConfig['kernel'];
  /** Whether rows are mixed before columns; what {@link mixesRowsFirst} says of the upright image. */
  rowsFirst: boolean;
}

/** The part of the image that `crop`, a rectangle of the resized image, is computed from. */
export function sourceRectangle(resize: Resize, crop: Rectangle): Rectangle {
  const columns = tapsOf(resize.width, resize.toWidth, crop.left, crop.width, resize.kernel);
  const rows = tapsOf(resize.height, resize.toHeight, crop.top, crop.height, resize.kernel);
  return {
    left: columns.first,
    top: rows.first,
    width: columns.end - columns.first,
    height: rows.end - rows.first,
  };
}

/**
 * Resizes and crops. `pixels` [source.height, source.width, 3] are the part `source` of the image, which must cover
 * {@link sourceRectangle}. Returns [crop.height, crop.width, 3].
 */
export function resample(pixels: Uint8Array, source: Rectangle, resize: Resize, crop: Rectangle): Uint8Array {
  const columns = tapsOf(resize.width, resize.toWidth, crop.left, crop.width, resize.kernel);
  const rows = tapsOf(resize.height, resize.toHeight, crop.top, crop.height, resize.kernel);
  const stride = source.width * 3;
  const start = (rows.first - source.top) * stride + (columns.first - source.left) * 3;
  if (resize.rowsFirst) {
    const rowValues = (columns.end - columns.first) * 3;
    return mixColumns(mixRows(pixels, start, stride, rowValues, rows), 0, rowValues, crop.height, columns);
  }
  const rowValues = crop.width * 3;
  const narrow = mixColumns(pixels, start, stride, rows.end - rows.first, columns);
  return mixRows(narrow, 0, rowValues, rowValues, rows);
}

/** Which pass comes first in Pillow 13, as found by comparing its results with those of both orders. */
export function mixesRowsFirst(width: number, height: number, toWidth: number, toHeight: number): boolean {
  return toHeight < height && height - toHeight > 2 * (width - toWidth);
}

/** `height` rows of `pixels`, `stride` values apart, the taps' first pixel at `start`. Returns [height, taps, 3]. */
function mixColumns(
  pixels: Uint8Array,
  start: number,
  stride: number,
  height: number,
  { first, from, offsets, weights }: Taps,
): Uint8Array {
  const count = from.length;
  const mixed = new Uint8Array(height * count * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = start + y * stride - first * 3;
    for (let x = 0; x < count; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = row + from[x]! * 3;
      const end = offsets[x + 1]!;
      for (let tap = offsets[x]!; tap < end; tap++) {
        const weight = weights[tap]!;
        red = (red + Math.imul(pixels[at]!, weight)) | 0;
        green = (green + Math.imul(pixels[at + 1]!, weight)) | 0;
        blue = (blue + Math.imul(pixels[at + 2]!, weight)) | 0;
        at += 3;
      }
      mixed[to++] = clamp(red >> PRECISION_BITS);
      mixed[to++] = clamp(green >> PRECISION_BITS);
      mixed[to++] = clamp(blue >> PRECISION_BITS);
    }
  }
  return mixed;
}

/** Rows of `rowValues` values, `stride` apart, the taps' first one at `start`. Returns [taps, rowValues]. */
function mixRows(
  pixels: Uint8Array,
  start: number,
  stride: number,
  rowValues: number,
  { first, from, offsets, weights }: Taps,
): Uint8Array {
  const count = from.length;
  const mixed = new Uint8Array(count * rowValues);
  const sums = new Int32Array(rowValues);
  for (let y = 0; y < count; y++) {
    sums.fill(HALF);
    let row = start + (from[y]! - first) * stride;
    const end = offsets[y + 1]!;
    let tap = offsets[y]!;
    // Two rows at a time: the sums are read and written half as often.
    for (; tap + 1 < end; tap += 2, row += 2 * stride) {
      const weight = weights[tap]!;
      const nextWeight = weights[tap + 1]!;
      const next = row + stride;
      for (let x = 0; x < rowValues; x++) {
        const sum = (sums[x]! + Math.imul(pixels[row + x]!, weight)) | 0;
        sums[x] = (sum + Math.imul(pixels[next + x]!, nextWeight)) | 0;
      }
    }
    if (tap < end) {
      const weight = weights[tap]!;
      for (let x = 0; x < rowValues; x++) sums[x] = (sums[x]! + Math.imul(pixels[row + x]!, weight)) | 0;
    }
    const to = y * rowValues;
    for (let x = 0; x < rowValues; x++) mixed[to + x] = clamp(sums[x]! >> PRECISION_BITS);
  }
  return mixed;
}

// As PIL: 8 bits of value and 2 of headroom are left of 32.
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Which values along one axis a run of resized values is made of. */
interface Taps {
  /** The union of all: `first` inclusive, `end` exclusive. */
  first: number;
  end: number;
  /** Per resized value: its first source value. */
  from: Int32Array;
  /** Per resized value, and one more: where its weights start. */
  offsets: Int32Array;
  /** Fixed point, {@link PRECISION_BITS}. */
  weights: Int32Array;
}

const SUPPORT = { linear: 1, cubic: 2 } as const;

function tapsOf(
  length: number,
  toLength: number,
  start: number,
  count: number,
  kernel: PreprocessConfig['kernel'],
): Taps {
  const scale = length / toLength;
  const widening = Math.max(1, scale);
  const support = SUPPORT[kernel] * widening;
  const from = new Int32Array(count);
  const offsets = new Int32Array(count + 1);
  const weights = new Int32Array(count * (Math.ceil(support) * 2 + 1));
  const filter = kernel === 'cubic' ? cubic : linear;
  let first = length;
  let end = 0;
  for (let index = 0; index < count; index++) {
    const centre = (start + index + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(length, Math.trunc(centre + support + 0.5));
    let total = 0;
    for (let at = low; at < high; at++) total += filter((at - centre + 0.5) / widening);
    let offset = offsets[index]!;
    for (let at = low; at < high; at++) {
      const weight = (filter((at - centre + 0.5) / widening) / total) * (1 << PRECISION_BITS);
      weights[offset++] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    from[index] = low;
    offsets[index + 1] = offset;
    first = Math.min(first, low);
    end = Math.max(end, high);
  }
  return { first, end, from, offsets, weights };
}

/** Keys' cubic with a = -0.5. */
function cubic(signed: number): number {
  const x = Math.abs(signed);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

function linear(signed: number): number {
  return Math.max(0, 1 - Math.abs(signed));
}
