/** IEEE 754 half precision: 1 sign bit, 5 of exponent, 10 of fraction. In arrays, half floats are their 16 bits. */

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** The float that the bits of a half stand for; exact. Subnormals, infinities and NaN included. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The bits of the half nearest to `value`, a float32: of two equally near ones the even one, infinity from 65,520 on,
 * a quiet NaN for NaN. A value that is no float32 is rounded to one first.
 */
export function floatToHalf(value: number): number {
  floats[0] = value;
  return halfOfWord(words[0]!);
}

/** {@link floatToHalf} of each value. */
export function toHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = halfOfWord(bits[i]!);
  return halves;
}

/** {@link halfToFloat} of each half. */
export function fromHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfToFloat(bits));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]!]!;
  return values;
}

/** All halves as floats, made when they are first needed. */
let table: Float32Array | undefined;

/** The half nearest to the float32 of these bits. */
function halfOfWord(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65,520 lies between the largest half and what would be the next.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // The exponent's bias falls from 127 to 15; adding just under half of the last place (half, where the place is odd)
    // rounds to the nearest even, and carries into the exponent where it has to.
    const lastBit = (magnitude >>> 13) & 1;
    return sign | ((magnitude - (112 << 23) + 0xfff + lastBit) >>> 13);
  }
  // Subnormal halves are multiples of 2^-24, and below half of that is 0.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0));
}
