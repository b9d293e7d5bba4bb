/**
 * Random numbers that are a pure function of a name: the same on every machine, in any order of calls elsewhere.
 *
 * The name's SHA-256 is the state of a xoshiro128** generator (Blackman & Vigna 2021). Everything made of it uses only
 * operations that IEEE 754 rounds exactly, and no logarithm of the platform's library, so that weights and data order
 * have the same bytes everywhere.
 */
import { createHash } from 'node:crypto';

export interface RandomStream {
  /** A whole number in [0, 2³²). */
  word(): number;
  /** A number in [0, 1), a multiple of 2⁻⁵³. */
  uniform(): number;
  /** A whole number in [0, count), none more likely than another; `count` is 1 to 2³². */
  integer(count: number): number;
  /** A number of the normal distribution with mean 0 and standard deviation 1. */
  normal(): number;
  /** The numbers 0 to count - 1 in random order. */
  permutation(count: number): Uint32Array<ArrayBuffer>;
  /** `size` different numbers of 0 to count - 1: what {@link RandomStream.permutation} would begin with. */
  sample(size: number, count: number): Uint32Array<ArrayBuffer>;
}

/** The stream of this name: a sequence of finite numbers and strings, where 1 and '1' differ. */
export function randomStream(...key: readonly (number | string)[]): RandomStream {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest();
  const word = xoshiro128([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)));
  const uniform = (): number => {
    const high = word() >>> 5;
    return (high * 2 ** 26 + (word() >>> 6)) * 2 ** -53;
  };
  const integer = (count: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % count);
    let drawn = word();
    while (drawn >= limit) drawn = word();
    return drawn % count;
  };
  let spare: number | undefined;
  return {
    word,
    uniform,
    integer,
    // Marsaglia's polar method: two numbers from a point in the unit disc.
    normal() {
      if (spare !== undefined) {
        const kept = spare;
        spare = undefined;
        return kept;
      }
      for (;;) {
        const x = 2 * uniform() - 1;
        const y = 2 * uniform() - 1;
        const square = x * x + y * y;
        if (square === 0 || square >= 1) continue;
        const stretch = Math.sqrt((-2 * logarithm(square)) / square);
        spare = y * stretch;
        return x * stretch;
      }
    },
    // Fisher and Yates: each place gets one of the numbers that no earlier place has.
    permutation(count) {
      const order = Uint32Array.from({ length: count }, (_, i) => i);
      for (let place = 0; place < count; place++) {
        const other = place + integer(count - place);
        const drawn = order[other]!;
        order[other] = order[place]!;
        order[place] = drawn;
      }
      return order;
    },
    // The same, as far as asked for: only places that were swapped are held.
    sample(size, count) {
      const moved = new Map<number, number>();
      return Uint32Array.from({ length: size }, (_, place) => {
        const other = place + integer(count - place);
        const drawn = moved.get(other) ?? other;
        moved.set(other, moved.get(place) ?? place);
        return drawn;
      });
    },
  };
}

/** xoshiro128**: words of 32 bits from a state of four, not all 0. */
export function xoshiro128(state: readonly number[]): () => number {
  let [a, b, c, d] = state as [number, number, number, number];
  return () => {
    const word = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return word;
  };
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** log x of 0 < x < 1, within 1e-15 of its size. With s = (m - 1) / (m + 1): log m = 2 (s + s³/3 + s⁵/5 + ...). */
function logarithm(x: number): number {
  let m = x;
  let exponent = 0;
  for (; m < Math.SQRT1_2; m *= 2) exponent--;
  const s = (m - 1) / (m + 1);
  let sum = 0;
  for (let power = 23; power >= 1; power -= 2) sum = sum * s * s + 1 / power;
  return 2 * s * sum + exponent * Math.LN2;
}
