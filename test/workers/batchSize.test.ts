import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../data/failure.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import type { Tagger } from '../../model/tagger.ts';
import { chooseBatchSize, runHalving } from '../../workers/inference/batchSize.ts';

/*
 * A GPU that no machine of ours has: its memory holds so many images, and a run takes so long. No part of this is timed
 * for real, as the clock is the device's own.
 */
interface FakeDevice {
  /** More images than this in one run: out of memory. */
  fits: number;
  /** Milliseconds of a run of so many images. */
  runMs: (images: number) => number;
  /** Largest batch that a tagger is willing to take (a large vocabulary bounds it). */
  largestBatch?: number;
}

const IMAGE_BYTES = 3;

/** Scores and embeddings of an image say which it is, so that lost, doubled or swapped ones show. */
function fakeTaggers({ fits, runMs, largestBatch = Infinity }: FakeDevice, clock: { ms: number }) {
  const open = new Set<Tagger>();
  const runs: number[] = [];
  const create = (asked: number, embedding = false): Promise<Tagger> => {
    const tagger: Tagger = {
      batchSize: Math.min(asked, largestBatch),
      imageBytes: IMAGE_BYTES,
      run(pixels) {
        const images = pixels.length / IMAGE_BYTES;
        runs.push(images);
        clock.ms += runMs(images);
        if (images > fits) return Promise.reject(new Failure('Device.OutOfMemory', `${images} do not fit`));
        const firsts = Array.from({ length: images }, (_, i) => pixels[i * IMAGE_BYTES]!);
        const scores = Float32Array.from(firsts.flatMap((first) => [first, first + 0.5]));
        return Promise.resolve(embedding ? { scores, embeddings: Float32Array.from(firsts) } : { scores });
      },
      release() {
        open.delete(tagger);
        return Promise.resolve();
      },
    };
    open.add(tagger);
    return Promise.resolve(tagger);
  };
  return { create, open, runs };
}

const pixelsOf = (images: number): Uint8Array =>
  Uint8Array.from({ length: images * IMAGE_BYTES }, (_, i) => Math.floor(i / IMAGE_BYTES));

describe('a run that is out of memory', () => {
  test('is halved until it fits, and every image keeps its place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (images, fits, embedding) => {
          const { create, runs } = fakeTaggers({ fits, runMs: () => 1 }, { ms: 0 });
          const { scores, embeddings } = await runHalving(await create(images, embedding), pixelsOf(images));
          const expected = Array.from({ length: images }, (_, i) => i);
          expect(Array.from(scores)).toEqual(expected.flatMap((i) => [i, i + 0.5]));
          expect(embeddings && Array.from(embeddings)).toEqual(embedding ? expected : undefined);
          const done = runs.filter((count) => count <= fits);
          expect(done.reduce((a, b) => a + b, 0)).toBe(images);
        },
      ),
    );
  });

  test('rejects where a single image does not fit', async () => {
    const { create, runs } = fakeTaggers({ fits: 0, runMs: () => 1 }, { ms: 0 });
    await expect(runHalving(await create(4), pixelsOf(4))).rejects.toMatchObject({
      code: 'Device.OutOfMemory',
    });
    expect(runs).toEqual([4, 2, 1]);
  });

  test('any other failure is not tried again', async () => {
    const { create } = fakeTaggers({ fits: 8, runMs: () => 1 }, { ms: 0 });
    let calls = 0;
    const broken: Tagger = {
      ...(await create(8)),
      run() {
        calls++;
        return Promise.reject(new Failure('Onnx.Invalid', 'no such op'));
      },
    };
    await expect(runHalving(broken, pixelsOf(8))).rejects.toMatchObject({ code: 'Onnx.Invalid' });
    expect(calls).toBe(1);
  });
});

describe('the batch size', () => {
  const gpu: DeviceOptions = { provider: 'cuda' };

  const choose = async (device: FakeDevice, requested?: number, on = gpu) => {
    const clock = { ms: 0 };
    const { create, open, runs } = fakeTaggers(device, clock);
    const chosen = await chooseBatchSize((size) => create(size), {
      device: on,
      requested,
      now: () => clock.ms,
    });
    expect([...open], 'all others are released').toEqual([chosen]);
    return { size: chosen.batchSize, runs };
  };

  test('doubles while that pays', async () => {
    // A run costs 10 ms however small, and 1 ms per image beyond 64.
    const runMs = (images: number) => Math.max(10, (10 * images) / 64);
    expect((await choose({ fits: Infinity, runMs })).size).toBe(64);
  });

  test('stops where memory ends', async () => {
    expect((await choose({ fits: 100, runMs: () => 10 })).size).toBe(64);
  });

  test('stops at 1024, however much memory there is', async () => {
    expect((await choose({ fits: Infinity, runMs: () => 10 })).size).toBe(1024);
  });

  test('stops where the vocabulary bounds the batch', async () => {
    expect((await choose({ fits: Infinity, runMs: () => 10, largestBatch: 32 })).size).toBe(32);
  });

  test('stays at the smallest where not even that fits: runs are halved', async () => {
    expect((await choose({ fits: 4, runMs: () => 10 })).size).toBe(8);
  });

  test('is taken as configured, without a run', async () => {
    expect(await choose({ fits: Infinity, runMs: () => 10 }, 48)).toEqual({ size: 48, runs: [] });
  });

  test('is fixed on a CPU, without a run', async () => {
    const { size, runs } = await choose({ fits: Infinity, runMs: () => 10 }, undefined, { provider: 'cpu' });
    expect(size).toBeGreaterThanOrEqual(8);
    expect(runs).toEqual([]);
  });
});
