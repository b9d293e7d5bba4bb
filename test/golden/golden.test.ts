import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkGolden } from './check.ts';
import { agrees, compareDirections, compareIds, compareSets, compareValues } from './compare.ts';

// Adding a folder of golden files adds a test.
const folders = readdirSync(import.meta.dirname).filter((name) => existsSync(join(import.meta.dirname, name, 'text.json')));

test.each(folders)('the model agrees with %s', async (name) => {
  const { comparisons } = await checkGolden(join(import.meta.dirname, name), { provider: 'cpu' });
  expect(comparisons.length).toBeGreaterThan(30);
  expect(comparisons.filter((comparison) => !agrees(comparison))).toEqual([]);
});

describe('a comparison disagrees on', () => {
  test.each([
    ['a value past the limit', compareValues('x', [1, 2], [1, 2.1], 0.05)],
    ['NaN', compareValues('x', [1, NaN], [1, 2], 10)],
    ['NaN in the golden file', compareValues('x', [1, 2], [1, NaN], 10)],
    ['another number of values', compareValues('x', [1], [1, 2], 10)],
    ['one flipped choice', compareValues('keep', [1, 0, 1], [1, 1, 1], 0)],
    ['too much left out', compareValues('keep', [1, 0], [1, 1], 0, (i) => i === 0)],
    ['one token', compareIds('ids', [[1, 2, 3]], [[1, 2, 4]])],
    ['a missing text', compareIds('ids', [], [[1]])],
    ['another direction', compareDirections('g', Float32Array.of(1, 0), Float32Array.of(1, 0.1), 2, 0.999)],
    ['a zero vector', compareDirections('g', Float32Array.of(0, 0), Float32Array.of(1, 0), 2, 0.999)],
    ['an edge too many', compareSets('edges', ['a', 'b'], ['a'])],
  ])('%s', (_, comparison) => {
    expect(agrees(comparison)).toBe(false);
  });
});
