/** Mean absolute difference of two images' values. */
export function meanDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  let sum = 0;
  for (const [index, value] of a.entries()) sum += Math.abs(value - b[index]!);
  return sum / a.length;
}

/** Largest absolute difference of two images' values. */
export function largestDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
}
