import type { PreprocessConfig } from './preprocessConfig.ts';

/** A rectangle in pixels. */
export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where CLIP's preprocessing puts an image. */
export interface Geometry {
  /** Size after resizing, of the upright image. */
  width: number;
  height: number;
  /** The crop's offset in it. */
  left: number;
  top: number;
}

/** The resize and the crop for an upright image of `width` x `height` pixels. */
export function clipGeometry(width: number, height: number, config: PreprocessConfig): Geometry {
  const { size, cropSize, keepAspect } = config;
  // As transformers: int(size * long / short), both operations in double precision.
  const resizedWidth = keepAspect && width > height ? Math.floor((size * width) / height) : size;
  const resizedHeight = keepAspect && height > width ? Math.floor((size * height) / width) : size;
  return {
    width: resizedWidth,
    height: resizedHeight,
    left: Math.floor((resizedWidth - cropSize) / 2),
    top: Math.floor((resizedHeight - cropSize) / 2),
  };
}

/** Whether an EXIF orientation (1 to 8) exchanges width and height. */
export function swapsSides(orientation: number): boolean {
  return orientation >= 5;
}

/**
 * How the upright image is read from the stored one of `width` x `height` pixels: upright pixel (x, y) is stored pixel
 * number `origin + x * dx + y * dy`.
 */
export function uprightStrides(
  orientation: number,
  width: number,
  height: number,
): { origin: number; dx: number; dy: number } {
  const right = width - 1;
  const bottom = (height - 1) * width;
  switch (orientation) {
    case 2:
      return { origin: right, dx: -1, dy: width };
    case 3:
      return { origin: bottom + right, dx: -1, dy: -width };
    case 4:
      return { origin: bottom, dx: 1, dy: -width };
    case 5:
      return { origin: 0, dx: width, dy: 1 };
    case 6:
      return { origin: bottom, dx: -width, dy: 1 };
    case 7:
      return { origin: bottom + right, dx: -width, dy: -1 };
    case 8:
      return { origin: right, dx: width, dy: -1 };
    default:
      return { origin: 0, dx: 1, dy: width };
  }
}

/** The stored rectangle (in an image of `width` x `height` stored pixels) that `upright` covers. */
export function storedRectangle(
  orientation: number,
  width: number,
  height: number,
  upright: Rectangle,
): Rectangle {
  const { origin, dx, dy } = uprightStrides(orientation, width, height);
  const first = origin + upright.left * dx + upright.top * dy;
  const last = first + (upright.width - 1) * dx + (upright.height - 1) * dy;
  const left = Math.min(first % width, last % width);
  const top = Math.min(Math.floor(first / width), Math.floor(last / width));
  const swapped = swapsSides(orientation);
  return {
    left,
    top,
    width: swapped ? upright.height : upright.width,
    height: swapped ? upright.width : upright.height,
  };
}

/** Cuts a rectangle out of `pixels` [height, width, 3]; `pixels` itself where that is all of them. */
export function cutRectangle(pixels: Uint8Array, width: number, rectangle: Rectangle): Uint8Array {
  const rowBytes = rectangle.width * 3;
  if (pixels.length === rectangle.height * rowBytes) return pixels;
  const cut = new Uint8Array(rectangle.height * rowBytes);
  for (let y = 0; y < rectangle.height; y++) {
    const from = ((rectangle.top + y) * width + rectangle.left) * 3;
    cut.set(pixels.subarray(from, from + rowBytes), y * rowBytes);
  }
  return cut;
}

/** Turns a stored square [side, side, 3] upright; `stored` itself where it is. */
export function turnUpright(stored: Uint8Array, side: number, orientation: number): Uint8Array {
  if (orientation === 1) return stored;
  const { origin, dx, dy } = uprightStrides(orientation, side, side);
  const upright = new Uint8Array(stored.length);
  let to = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = (origin + x * dx + y * dy) * 3;
      upright[to++] = stored[from]!;
      upright[to++] = stored[from + 1]!;
      upright[to++] = stored[from + 2]!;
    }
  }
  return upright;
}
