import type { PatchGrid } from '../../cli/report/images/shownImage.ts';

/** [left, top, width, height] in pixels. */
export type Box = readonly [number, number, number, number];

/** Which pixels of an image of `width` x `height` lie in any of the boxes. [height * width] */
export function boxMask(boxes: readonly Box[], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  for (const [left, top, boxWidth, boxHeight] of boxes)
    for (let y = Math.max(0, top); y < Math.min(height, top + boxHeight); y++)
      mask.fill(1, y * width + Math.max(0, left), y * width + Math.min(width, left + boxWidth));
  return mask;
}

/** The share of each patch's area that lies in the mask. [P] */
export function patchCoverage(
  mask: Uint8Array,
  width: number,
  height: number,
  grid: PatchGrid,
): Float64Array {
  const { left, top, width: patchWidth, height: patchHeight, side } = grid;
  const coverage = new Float64Array(side * side);
  for (let patch = 0; patch < coverage.length; patch++) {
    const fromX = (left + (patch % side) * patchWidth) * width;
    const fromY = (top + Math.floor(patch / side) * patchHeight) * height;
    const toX = fromX + patchWidth * width;
    const toY = fromY + patchHeight * height;
    let inside = 0;
    // A pixel at the patch's edge counts by the part of it that is in the patch.
    for (let y = Math.floor(fromY); y < Math.min(height, Math.ceil(toY)); y++)
      for (let x = Math.floor(fromX); x < Math.min(width, Math.ceil(toX)); x++)
        if (mask[y * width + x] === 1)
          inside += (Math.min(toX, x + 1) - Math.max(fromX, x)) * (Math.min(toY, y + 1) - Math.max(fromY, y));
    coverage[patch] = inside / ((toX - fromX) * (toY - fromY));
  }
  return coverage;
}

export const meanOf = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** The `count` patches with the highest values; equal ones by their index. */
export const highest = (values: ArrayLike<number>, count: number): number[] =>
  Array.from({ length: values.length }, (_, i) => i)
    .sort((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, count);
