import fc from 'fast-check';
import { expect, test } from 'vitest';
import { floatToHalf, fromHalves, halfToFloat, toHalves } from '../../data/half.ts';

const HALVES = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
const isNaNHalf = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;

/** The half nearest to a float32, by search: of two equally near ones the one with an even last bit. */
function nearest(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // What comes after the largest half, were there another exponent: infinity takes its place in rounding.
  const valueOf = (bits: number) => (bits === 0x7c00 ? 65_536 : halfToFloat(bits));
  let [low, high] = [0, 0x7c00];
  if (magnitude >= 65_536) return sign | 0x7c00;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOf(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const [down, up] = [magnitude - valueOf(low), valueOf(high) - magnitude];
  return sign | (down < up || (down === up && low % 2 === 0) ? low : high);
}

test('every half survives', () => {
  for (const bits of HALVES) {
    const back = floatToHalf(halfToFloat(bits));
    if (isNaNHalf(bits)) expect(isNaNHalf(back)).toBe(true);
    else if (back !== bits) expect(back).toBe(bits);
  }
  const back = toHalves(fromHalves(HALVES));
  expect(back.filter((half, bits) => half !== bits && !isNaNHalf(bits))).toHaveLength(0);
});

test('known values', () => {
  const known: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [1 / 3, 0x3555],
    [65_504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
  ];
  for (const [value, bits] of known) {
    expect(floatToHalf(value)).toBe(bits);
    expect(halfToFloat(bits)).toBe(value === 1 / 3 ? 0.333251953125 : value);
  }
});

test('between every two neighbours: the tie goes to the even one, a hair off it to the nearer one', () => {
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  const neighbour = (value: number, step: number): number => {
    float[0] = value;
    word[0]! += step;
    return float[0];
  };
  let wrong = 0;
  for (let low = 0; low < 0x7c00; low++) {
    const above = low + 1 === 0x7c00 ? 65_536 : halfToFloat(low + 1);
    // Exact in float32, which has 13 more bits.
    const tie = (halfToFloat(low) + above) / 2;
    const even = low % 2 === 0 ? low : low + 1;
    if (floatToHalf(tie) !== even || floatToHalf(-tie) !== (even | 0x8000)) wrong++;
    if (floatToHalf(neighbour(tie, -1)) !== low || floatToHalf(neighbour(tie, 1)) !== low + 1) wrong++;
  }
  expect(wrong).toBe(0);
  expect(floatToHalf(65_520)).toBe(0x7c00);
  expect(floatToHalf(neighbour(65_520, -1))).toBe(0x7bff);
});

test('any float32 becomes the nearest half', () => {
  const anyFloat = fc.oneof(
    fc.float({ noNaN: true }),
    fc.float({ noNaN: true, min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
    fc.float({ noNaN: true, min: -70_000, max: 70_000 }),
  );
  fc.assert(
    fc.property(anyFloat, (value) => floatToHalf(value) === nearest(value)),
    { numRuns: 5000 },
  );
  expect([...toHalves(Float32Array.of(NaN, 1e30, -1e30, 1e-30))]).toEqual([0x7e00, 0x7c00, 0xfc00, 0]);
});
