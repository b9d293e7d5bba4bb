/** Damage at random: whatever it does to an image, the pool decodes it or says what is wrong, and lives. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import fc from 'fast-check';
import { createDecodePool } from '../../data/images/decodePool.ts';
import type { DecodePool } from '../../data/images/decodePool.ts';
import { isFailure } from '../../data/failure.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';

const good = new URL('./good/', import.meta.url);
const files = readdirSync(good).map((name) => ({ name, body: readFileSync(new URL(name, good)) }));
const jpegs = files.filter(({ name }) => name.endsWith('.jpg') && !/trailing|extraneous/.test(name));
const SIDE = 32;

let pool: DecodePool;
beforeAll(() => {
  const preprocess = parsePreprocessConfig({ size: SIDE, crop_size: SIDE });
  // Far fewer pixels than by default, so that a size changed at random costs little.
  pool = createDecodePool({ processes: 2, preprocess, maxPixels: 1e6, timeoutMs: 60_000 });
});
afterAll(async () => await pool.close());

it('byte flips and truncations give pixels or a failure, and no process dies', async () => {
  // Wait for both, so that the pids are all there.
  while (pool.pids.length < pool.size) await pool.decode(files[0]!.body);
  const pids = [...pool.pids].sort();
  const flips = fc.array(fc.record({ at: fc.nat(), value: fc.nat(255) }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      flips,
      fc.option(fc.nat()),
      async ({ body }, changes, cut) => {
        const damaged = Uint8Array.from(cut === null ? body : body.subarray(0, cut % body.length));
        // Half of the changes in the header, where they do most.
        for (const { at, value } of changes) damaged[at % (at % 2 ? damaged.length : 64)] = value;
        const result: unknown = await pool.decode(damaged).catch((error: unknown) => error);
        if (isFailure(result)) {
          expect(result.code).toMatch(/^Image\.(Empty|PixelLimit|Unsupported|Corrupt)$/);
        } else {
          expect(result).toMatchObject({ pixels: { length: SIDE * SIDE * 3 } });
        }
      },
    ),
    { numRuns: 300 },
  );
  expect([...pool.pids].sort()).toEqual(pids);
});

it('a JPEG cut anywhere is a failure', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...jpegs), fc.nat(), async ({ body }, cut) => {
      const failure = expect.stringMatching(/^Image\.(Empty|Unsupported|Corrupt)$/) as string;
      await expect(pool.decode(body.subarray(0, cut % body.length))).rejects.toMatchObject({ code: failure });
    }),
    { numRuns: 100 },
  );
});
