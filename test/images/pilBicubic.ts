/**
 * PIL's BICUBIC (a = -0.5, widened when shrinking), rounded to 8 bits between the passes as PIL does, in Pillow 13's
 * order: what CLIP's own preprocessing resizes with. [height, width, 3] -> [toHeight, toWidth, 3].
 */
export function pilBicubic(
  pixels: Uint8Array,
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Uint8Array {
  const rowsFirst = toHeight < height && height - toHeight > 2 * (width - toWidth);
  return rowsFirst
    ? mixColumns(mixRows(pixels, width, height, toHeight), width, toHeight, toWidth)
    : mixRows(mixColumns(pixels, width, height, toWidth), toWidth, height, toHeight);
}

function mixColumns(pixels: Uint8Array, width: number, height: number, toWidth: number): Uint8Array {
  const mixed = new Uint8Array(height * toWidth * 3);
  for (const { to, from, weights } of taps(width, toWidth)) {
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) {
        mixed[(y * toWidth + to) * 3 + c] = weighted(weights, (k) => pixels[(y * width + from + k) * 3 + c]!);
      }
    }
  }
  return mixed;
}

function mixRows(pixels: Uint8Array, width: number, height: number, toHeight: number): Uint8Array {
  const mixed = new Uint8Array(toHeight * width * 3);
  for (const { to, from, weights } of taps(height, toHeight)) {
    for (let x = 0; x < width * 3; x++) {
      mixed[to * width * 3 + x] = weighted(weights, (k) => pixels[(from + k) * width * 3 + x]!);
    }
  }
  return mixed;
}

function weighted(weights: readonly number[], value: (index: number) => number): number {
  const sum = weights.reduce((total, weight, index) => total + weight * value(index), 0);
  return Math.min(255, Math.max(0, Math.round(sum)));
}

function taps(length: number, toLength: number): { to: number; from: number; weights: number[] }[] {
  const scale = length / toLength;
  const widening = Math.max(1, scale);
  return Array.from({ length: toLength }, (_, to) => {
    const centre = (to + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - 2 * widening + 0.5));
    const end = Math.min(length, Math.trunc(centre + 2 * widening + 0.5));
    const raw = Array.from({ length: end - from }, (_, k) => cubic((from + k - centre + 0.5) / widening));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return { to, from, weights: raw.map((weight) => weight / total) };
  });
}

function cubic(signed: number): number {
  const a = -0.5;
  const x = Math.abs(signed);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
