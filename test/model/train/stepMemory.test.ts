import fc from 'fast-check';
import { expect, test } from 'vitest';
import { microBatchFor, stepBytes, type StepSizes } from '../../../model/ranking/stepMemory.ts';

const VIT_B16: StepSizes = {
  tokens: 197,
  width: 768,
  intermediate: 3072,
  attentionHeads: 12,
  blocks: 2,
  nodes: 1024,
  edges: 17,
  d: 512,
  layers: 2,
};

const sizes = fc.record({
  tokens: fc.integer({ min: 2, max: 600 }),
  width: fc.integer({ min: 64, max: 1024 }),
  intermediate: fc.integer({ min: 64, max: 4096 }),
  attentionHeads: fc.integer({ min: 1, max: 16 }),
  blocks: fc.integer({ min: 0, max: 24 }),
  nodes: fc.integer({ min: 1, max: 8000 }),
  edges: fc.integer({ min: 1, max: 40 }),
  d: fc.integer({ min: 16, max: 1024 }),
  layers: fc.integer({ min: 0, max: 4 }),
});

test('a part is the largest that stays below the limit, and at least one image', () => {
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 256 }),
      fc.integer({ min: 1, max: 2 ** 34 }),
      (s, batch, limit) => {
        const images = microBatchFor(s, batch, limit);
        expect(images).toBeGreaterThanOrEqual(1);
        expect(images).toBeLessThanOrEqual(batch);
        if (images > 1) expect(stepBytes(s, images)).toBeLessThanOrEqual(limit);
        if (images < batch) expect(stepBytes(s, images + 1)).toBeGreaterThan(limit);
      },
    ),
  );
});

test('more of anything takes no less', () => {
  fc.assert(
    fc.property(sizes, fc.constantFrom(...(Object.keys(VIT_B16) as (keyof StepSizes)[])), (s, key) => {
      expect(stepBytes({ ...s, [key]: s[key] + 1 }, 3)).toBeGreaterThanOrEqual(stepBytes(s, 3));
    }),
  );
});

test('ViT-B/16 with 1,024 categories of 17 edges is worked on in several images at a time', () => {
  expect(microBatchFor(VIT_B16, 32)).toBe(8);
  expect(microBatchFor({ ...VIT_B16, nodes: 129, edges: 6 }, 32)).toBe(32);
});
