import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import sharp from 'sharp';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { clipGeometry, cutRectangle, storedRectangle, uprightStrides } from '../../data/images/geometry.ts';
import { readJpegHeader } from '../../data/images/jpegHeader.ts';
import { preprocess } from '../../data/images/preprocess.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';
import type { PreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { openSafetensors, readFloats } from '../../data/safetensors.ts';
import { orient, scene } from './bytes.ts';
import { largestDifference, meanDifference } from './compare.ts';
import { pilBicubic } from './pilBicubic.ts';

const { maxPixels } = DEFAULT_IMAGE_LIMITS;

describe("CLIP's own preprocessing", () => {
  const golden = new URL('../golden/', import.meta.url);
  const cases = ['tiny', 'hub'].flatMap((set) => [0, 1, 2, 3].map((index) => ({ set, index })));
  it.each(cases)('$set/images/$index.png', async ({ set, index }) => {
    const folder = new URL(`${set}/`, golden);
    const json: unknown = JSON.parse(readFileSync(new URL('clip/preprocessor_config.json', folder), 'utf8'));
    const config = parsePreprocessConfig(json);
    const expected = goldenPixels(folder, index);
    const body = readFileSync(new URL(`images/${index}.png`, folder));
    const { pixels } = await preprocess(body, config, maxPixels);
    const side = config.cropSize;
    let largest = 0;
    for (let at = 0; at < pixels.length; at++) {
      const channel = at % 3;
      const normalised = expected[channel * side * side + Math.floor(at / 3)]!;
      const step = (normalised * config.std[channel]! + config.mean[channel]!) / config.rescaleFactor;
      largest = Math.max(largest, Math.abs(pixels[at]! - step));
    }
    // Equal, but for the normalisation's rounding to 32 bits.
    expect(largest).toBeLessThan(0.001);
  });
});

describe('geometry', () => {
  it('floors the long side and the crop offset', () => {
    const config = parsePreprocessConfig({ size: 48, crop_size: 48 });
    expect(clipGeometry(97, 211, config)).toEqual({ width: 48, height: 104, left: 0, top: 28 });
    expect(clipGeometry(200, 130, config)).toEqual({ width: 73, height: 48, left: 12, top: 0 });
  });

  it('reads every orientation back', () => {
    const sides = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), sides, sides, (orientation, width, height) => {
        const pixels = scene(width, height);
        const stored = orient(pixels, width, height, orientation);
        const { origin, dx, dy } = uprightStrides(orientation, stored.width, stored.height);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const from = (origin + x * dx + y * dy) * 3;
            const to = (y * width + x) * 3;
            expect([...stored.pixels.subarray(from, from + 3)]).toEqual([...pixels.subarray(to, to + 3)]);
          }
        }
      }),
    );
  });

  it('finds the stored rectangle of an upright one', () => {
    // Upright 4 x 2 (width x height), its right half, stored as orientation 6: 2 wide, 4 high, the right half on top.
    const upright = { left: 2, top: 0, width: 2, height: 2 };
    expect(storedRectangle(6, 2, 4, upright)).toEqual({ left: 0, top: 0, width: 2, height: 2 });
    expect(storedRectangle(8, 2, 4, upright)).toEqual({ left: 0, top: 2, width: 2, height: 2 });
  });
});

describe('resizing and cropping', () => {
  const small = parsePreprocessConfig({ size: 32, crop_size: 24 });
  const larger = parsePreprocessConfig({ size: 160, crop_size: 120 });
  /** Largest and mean difference to PIL; PIL itself rounds values between two steps either way. */
  const bounds = { exact: [1, 0.001], reduced: [1, 0.6], fast: [8, 0.5] } as const;
  const cases = [
    // Shrunk, enlarged, as it is, by much, beyond the aspect ratio up to which the whole image is resized.
    ...[
      [100, 70],
      [20, 31],
      [32, 32],
      [400, 300],
      [640, 480],
      [97, 211],
      [40, 700],
      [700, 40],
      [1, 300],
      [6, 90],
    ].map(([width, height]) => ({ width: width!, height: height!, config: small, by: 'exact' as const })),
    // Too many pixels for that: first by libvips.
    { width: 1600, height: 1400, config: small, by: 'reduced' as const },
    { width: 8000, height: 300, config: small, by: 'reduced' as const },
    // By libvips alone.
    { width: 480, height: 400, config: larger, by: 'fast' as const },
    { width: 200, height: 900, config: larger, by: 'fast' as const },
  ].flatMap((one) => (one.by === 'exact' ? [1, 3, 6, 8] : [1, 6]).map((orientation) => ({ ...one, orientation })));
  it.each(cases)('$width x $height, orientation $orientation: $by', async (one) => {
    const { width, height, orientation, config, by } = one;
    const pixels = textured(width, height);
    const stored = orient(pixels, width, height, orientation);
    const raw = { width: stored.width, height: stored.height, channels: 3 as const };
    const body = await sharp(stored.pixels, { raw }).withMetadata({ orientation }).png().toBuffer();
    const decoded = await preprocess(body, config, maxPixels);
    expect([decoded.width, decoded.height]).toEqual([width, height]);

    const expected = pilSquare(pixels, width, height, config);
    const [largest, mean] = bounds[by];
    expect(largestDifference(decoded.pixels, expected)).toBeLessThanOrEqual(largest);
    expect(meanDifference(decoded.pixels, expected)).toBeLessThan(mean);
  });

  it('shrinks a large JPEG on load', async () => {
    const raw = { width: 1600, height: 1400, channels: 3 as const };
    const body = await sharp(scene(1600, 1400), { raw }).jpeg({ quality: 95 }).toBuffer();
    const { pixels } = await preprocess(body, small, maxPixels);
    const decoded = await sharp(body).raw().toBuffer();
    const expected = pilSquare(decoded, 1600, 1400, small);
    expect(largestDifference(pixels, expected)).toBeLessThanOrEqual(4);
  });

  it('refuses a side that no resize can reach', async () => {
    const body = await sharp({ create: { width: 1, height: 900_000, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    await expect(preprocess(body, parsePreprocessConfig({}), maxPixels)).rejects.toMatchObject({
      code: 'Image.PixelLimit',
    });
  });
});

describe('the JPEG header', () => {
  const folder = new URL('./good/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.jpg') && !name.includes('cmyk'));
  it.each(files)('agrees with sharp on %s', async (file) => {
    const body = readFileSync(new URL(file, folder));
    const { width, height, orientation = 1 } = await sharp(body).metadata();
    expect(readJpegHeader(body)).toEqual({ width, height, orientation });
  });

  it('is left to sharp when it is damaged or cut off', () => {
    const body = readFileSync(new URL('64x48--scene-orientation-6.jpg', folder));
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(255), fc.nat(body.length), (at, value, cut) => {
        const damaged = Uint8Array.from(body.subarray(0, cut));
        if (at < damaged.length) damaged[at] = value;
        const header = readJpegHeader(damaged);
        if (header) expect(header.width * header.height).toBeGreaterThan(0);
      }),
    );
  });
});

/** [height, width, 3]: {@link scene} under a noise of 64 steps. */
function textured(width: number, height: number): Buffer {
  const pixels = scene(width, height);
  for (let at = 0; at < pixels.length; at++) {
    pixels[at] = Math.min(255, Math.max(0, pixels[at]! - 32 + (Math.imul(at, 2654435761) >>> 26)));
  }
  return pixels;
}

/** What CLIP makes of `pixels` [height, width, 3]. */
function pilSquare(pixels: Uint8Array, width: number, height: number, config: PreprocessConfig): Uint8Array {
  const to = clipGeometry(width, height, config);
  const crop = { left: to.left, top: to.top, width: config.cropSize, height: config.cropSize };
  return cutRectangle(pilBicubic(pixels, width, height, to.width, to.height), to.width, crop);
}

/** [3, H, W] of image `index`. */
function goldenPixels(folder: URL, index: number): Float32Array {
  const values = readFloats(
    openSafetensors(fileURLToPath(new URL('encoder.safetensors', folder))).get('png_pixels')!,
  );
  const perImage = values.length / 4;
  return values.subarray(index * perImage, (index + 1) * perImage);
}
