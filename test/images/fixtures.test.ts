/**
 * The folders are the tests. `good/WxH--GROUP-what.ext` decodes, is W x H, and looks like `WxH--GROUP-reference.png`
 * where there is one; `bad/CODE--what.ext` fails with that code.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDecodePool } from '../../data/images/decodePool.ts';
import type { DecodePool } from '../../data/images/decodePool.ts';
import { isImageCode } from '../../data/images/codes.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { meanDifference } from './compare.ts';

const good = new URL('./good/', import.meta.url);
const bad = new URL('./bad/', import.meta.url);
const goodNames = readdirSync(good);
const SIDE = 32;

let pool: DecodePool;
beforeAll(() => {
  const preprocess = parsePreprocessConfig({ size: SIDE, crop_size: SIDE });
  pool = createDecodePool({ processes: 2, preprocess, ...DEFAULT_IMAGE_LIMITS });
});
afterAll(async () => await pool.close());

/** Mean difference to the reference in steps of 255: how much the form itself may change the picture. */
function tolerance(name: string): number {
  // Out of the gamut of the standard CMYK profile; an inverted or unconverted image is off by more than 60.
  if (name.includes('cmyk')) return 20;
  // Chroma at half resolution, on hard edges.
  if (name.endsWith('.webp') || name.includes('chroma')) return 4;
  return 1;
}

describe('good images', () => {
  it.each(goodNames)('%s', async (file) => {
    const decoded = await pool.decode(readFileSync(new URL(file, good)));
    const [size, name] = file.split('--') as [string, string];
    expect(`${decoded.width}x${decoded.height}`).toBe(size);
    expect(decoded.pixels).toHaveLength(SIDE * SIDE * 3);
    const reference = `${size}--${name.split('-')[0]!}-reference.png`;
    if (!goodNames.includes(reference)) return;
    const expected = await pool.decode(readFileSync(new URL(reference, good)));
    expect(meanDifference(decoded.pixels, expected.pixels)).toBeLessThan(tolerance(name));
  });
});

describe('bad images', () => {
  it.each(readdirSync(bad))('%s', async (file) => {
    const [code] = file.split('--') as [string];
    expect(isImageCode(code)).toBe(true);
    const body = readFileSync(new URL(file, bad));
    await expect(pool.decode(body)).rejects.toMatchObject({ name: 'Failure', code });
    await expect(pool.decode(body)).rejects.toHaveProperty('hint', expect.stringMatching(/\.$/));
  });
});
