import fc from 'fast-check';
import { expect, test } from 'vitest';
import { outerStep } from '../../../model/train/outerStep.ts';

const PLAIN = { outerStep: 1, outerMomentum: 0 };
const floats = (length: number) =>
  fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -100, max: 100 });
const LENGTH = 6;
const bytes = (values: Float32Array): Uint8Array => new Uint8Array(new Float32Array(values).buffer);

test('one shard with step 1 and no momentum passes through, to the bit', () => {
  fc.assert(
    fc.property(floats(LENGTH), floats(LENGTH), (start, end) => {
      const merged = outerStep(start, [end], new Float64Array(LENGTH), PLAIN);
      expect(bytes(merged)).toEqual(bytes(end));
    }),
  );
});

test('several shards with step 1 and no momentum are averaged, rounded once', () => {
  fc.assert(
    fc.property(floats(LENGTH), fc.array(floats(LENGTH), { minLength: 2, maxLength: 5 }), (start, ends) => {
      const merged = outerStep(start, ends, new Float64Array(LENGTH), PLAIN);
      for (let i = 0; i < LENGTH; i++)
        expect(merged[i]).toBe(Math.fround(ends.map((end) => end[i]!).reduce((a, b) => a + b) / ends.length));
    }),
  );
});

test("Nesterov's momentum over two rounds is that of SGD on the mean change (as torch.optim.SGD computes it)", () => {
  const settings = { outerStep: 0.7, outerMomentum: 0.9 };
  const momentum = new Float64Array(1);
  // Changes 2 and 1 have mean 1.5: b = 1.5, θ = 10 - 0.7 (1.5 + 0.9 x 1.5).
  const first = outerStep(Float32Array.of(10), [Float32Array.of(8), Float32Array.of(9)], momentum, settings);
  expect(first[0]).toBeCloseTo(10 - 0.7 * (1.5 + 0.9 * 1.5), 5);
  // A change of 1: b = 0.9 x 1.5 + 1 = 2.35, θ -= 0.7 (1 + 0.9 x 2.35).
  const second = outerStep(first, [Float32Array.of(first[0]! - 1)], momentum, settings);
  expect(momentum[0]).toBeCloseTo(2.35, 5);
  expect(second[0]).toBeCloseTo(first[0]! - 0.7 * (1 + 0.9 * 2.35), 5);
});

test('shards that did not move leave the parameters alone, to the bit, while there is no momentum yet', () => {
  fc.assert(
    fc.property(floats(LENGTH), (start) => {
      const merged = outerStep(start, [start, start, start], new Float64Array(LENGTH), {
        outerStep: 0.7,
        outerMomentum: 0.9,
      });
      expect(bytes(merged)).toEqual(bytes(start));
    }),
  );
});
