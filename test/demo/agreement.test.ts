import { describe, expect, test } from 'vitest';
import { agreementOf, largestDifference } from '../../cli/demo/agreement.ts';
import { readDemoCategories, readDemoLabels, readExpectedAgreement } from '../../cli/demo/assets.ts';

const categories = readDemoCategories();
const labels = readDemoLabels();

/** Rows whose scores are the truth, or its opposite. */
const rows = (sign: 1 | -1) =>
  [...labels].map(([key, present]) => ({
    key,
    tags: categories
      .map(({ name }) => ({ label: name, score: present.has(name) ? sign : -sign }))
      .sort((a, b) => b.score - a.score),
  }));

describe('agreement with the labels', () => {
  test('scores that are the truth have an mAP of 100, their opposite has next to none', () => {
    const best = agreementOf(rows(1), labels, categories);
    expect(best.ZSL.mAP).toBe(100);
    expect(best.GZSL.mAP).toBe(100);
    expect(agreementOf(rows(-1), labels, categories).GZSL.mAP).toBeLessThan(10);
    expect(largestDifference(best, readExpectedAgreement())).toBeGreaterThan(50);
  });

  test('rows in another order agree as well', () => {
    expect(agreementOf(rows(1).reverse(), labels, categories).ZSL.mAP).toBe(100);
  });

  test.each([
    ['a row is missing', rows(1).slice(1)],
    ['a row is there twice', [...rows(1), rows(1)[0]!]],
    ['a row lacks a score', rows(1).map((row) => ({ ...row, tags: row.tags.slice(1) }))],
  ])('refuses to measure where %s', (_, given) => {
    expect(() => agreementOf(given, labels, categories)).toThrow(
      expect.objectContaining({ code: 'Demo.Rows' }),
    );
  });
});
