import { expect, it } from 'vitest';
import { boxMask, highest, patchCoverage } from '../../bench/evidence/coverage.ts';
import { patchGrid } from '../../cli/report/images/pictures.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';

const square = { left: 0, top: 0, width: 0.25, height: 0.25, side: 4 };

it('the share of a patch inside boxes is that of its area, boxes that overlap counted once', () => {
  const boxes = [
    [0, 0, 2, 2],
    [1, 0, 2, 2],
    [7, 7, 9, 9],
  ] as const;
  const coverage = patchCoverage(boxMask(boxes, 8, 8), 8, 8, square);
  expect([...coverage.slice(0, 4)]).toEqual([1, 0.5, 0, 0]);
  expect(coverage[15]).toBe(0.25);
  expect(coverage.reduce((a, b) => a + b, 0)).toBe(1.75);
});

it('where patches do not end at pixels, a pixel counts by its part', () => {
  // 6 pixels in 4 patches: each is one and a half pixels wide.
  const coverage = patchCoverage(boxMask([[0, 0, 1, 6]], 6, 6), 6, 6, square);
  expect([...coverage.slice(0, 2)]).toEqual([expect.closeTo(2 / 3, 10), 0]);
});

it('on an image that is not square, patches lie in the square that was cut out of its middle', () => {
  const preprocess = parsePreprocessConfig({ size: 64, crop_size: 64 }, 'preprocessor_config.json');
  const wide = patchGrid(200, 100, preprocess, 8);
  expect(wide).toEqual({ left: 0.25, top: 0, width: 8 / 128, height: 8 / 64, side: 8 });
  const tall = patchGrid(100, 300, preprocess, 8);
  expect(tall).toEqual({ left: 0, top: 64 / 192, width: 8 / 64, height: 8 / 192, side: 8 });
  // The middle patches cover the object in the middle, no other does.
  const mask = boxMask([[75, 25, 50, 50]], 200, 100);
  const coverage = patchCoverage(mask, 200, 100, wide);
  const middle = [2, 3, 4, 5].flatMap((y) => [2, 3, 4, 5].map((x) => y * 8 + x));
  coverage.forEach((share, patch) => expect(share).toBeCloseTo(middle.includes(patch) ? 1 : 0, 10));
});

it('the patches that are attended to most, equal ones by their index', () => {
  expect(highest([0.1, 0.5, 0.5, 0.2], 3)).toEqual([1, 2, 3]);
});
