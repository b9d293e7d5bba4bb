import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import sharp from 'sharp';
import { createDecodePool } from '../../data/images/decodePool.ts';
import type { DecodePool, DecodePoolOptions } from '../../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { FrameReader, frameLength } from '../../data/images/wire.ts';
import { zlibPng } from './bytes.ts';

const SIDE = 32;
const preprocess = parsePreprocessConfig({ size: SIDE, crop_size: SIDE });
const small = readFileSync(new URL('./good/64x48--scene-baseline.jpg', import.meta.url));
/** Half a second's work or more: 90 megapixels in 90 kB. */
const large = zlibPng(9000, 10000, 0, Buffer.alloc(9000 * 10000));

const pools: DecodePool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map(async (pool) => await pool.close()));
});

function createPool(options: Partial<DecodePoolOptions> = {}): DecodePool {
  const pool = createDecodePool({ processes: 1, preprocess, ...DEFAULT_IMAGE_LIMITS, ...options });
  pools.push(pool);
  return pool;
}

/** The pid of the pool's process once it takes images, `after` being an earlier one's. */
async function readyPid(pool: DecodePool, after?: number): Promise<number> {
  for (;;) {
    const pid = pool.pids.find((candidate) => candidate !== after);
    if (pid !== undefined) return pid;
    await sleep(2);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A dead process that nobody has waited for yet still takes signals.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'));
}

async function untilGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await sleep(10);
}

describe('the decode pool', () => {
  it('answers each image with its own pixels, however many are open', async () => {
    const pool = createPool({ processes: 2 });
    const colours = Array.from({ length: 100 }, (_, index) => index * 2);
    const bodies = await Promise.all(
      colours.map(async (red) => {
        const background = { r: red, g: 9, b: 200 };
        return await sharp({ create: { width: 40 + red, height: 40, channels: 3, background } })
          .png()
          .toBuffer();
      }),
    );
    const decoded = await Promise.all(bodies.map(async (body) => await pool.decode(body)));
    for (const [index, { pixels, width }] of decoded.entries()) {
      expect(width).toBe(40 + colours[index]!);
      expect([...pixels.subarray(0, 3)]).toEqual([colours[index], 9, 200]);
    }
  });

  it('takes images larger than any buffer on the way', async () => {
    const noise = Buffer.from(Array.from({ length: 1500 * 1500 * 3 }, (_, index) => (index * 7919) % 251));
    const raw = { width: 1500, height: 1500, channels: 3 as const };
    const body = await sharp(noise, { raw }).png({ compressionLevel: 0 }).toBuffer();
    expect(body.length).toBeGreaterThan(6e6);
    const pool = createPool();
    const decoded = await Promise.all(
      [body, small, body, body, small].map(async (image) => await pool.decode(image)),
    );
    expect(decoded.map(({ width }) => width)).toEqual([1500, 64, 1500, 1500, 64]);
  });

  it('refuses by its limits', async () => {
    const pool = createPool({ maxBytes: small.length - 1, maxPixels: 64 * 48 });
    await expect(pool.decode(small)).rejects.toMatchObject({ code: 'Image.TooLarge' });
    await expect(pool.decode(new Uint8Array(0))).rejects.toMatchObject({ code: 'Image.Empty' });
    const exact = createPool({ maxBytes: small.length, maxPixels: 64 * 48 });
    await expect(exact.decode(small)).resolves.toMatchObject({ width: 64, height: 48 });
    const fewer = createPool({ maxPixels: 64 * 48 - 1 });
    await expect(fewer.decode(small)).rejects.toMatchObject({ code: 'Image.PixelLimit' });
  });

  it('kills a process that hangs, blames the image it was at and decodes the others', async () => {
    const pool = createPool({ timeoutMs: 3000 });
    const pid = await readyPid(pool);
    process.kill(pid, 'SIGSTOP');
    const [first, ...others] = await Promise.allSettled(
      Array.from({ length: 6 }, async () => await pool.decode(small)),
    );
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'Image.Timeout' } });
    for (const other of others) expect(other).toMatchObject({ status: 'fulfilled', value: { width: 64 } });
    expect(pool.pids).not.toContain(pid);
    expect(isAlive(pid)).toBe(false);
  });

  it('does not count the time in the queue', async () => {
    const pool = createPool({ timeoutMs: 5000 });
    const pid = await readyPid(pool);
    const decodes = Promise.all(Array.from({ length: 12 }, async () => await pool.decode(large)));
    await decodes;
    expect(await readyPid(pool)).toBe(pid);
  });

  it('decodes again what was in flight when a process died', async () => {
    const pool = createPool({ processes: 2 });
    await readyPid(pool);
    const decodes = Promise.all(Array.from({ length: 8 }, async () => await pool.decode(small)));
    for (const pid of pool.pids) process.kill(pid, 'SIGKILL');
    for (const { width } of await decodes) expect(width).toBe(64);
  });

  it('gives up on an image that processes die on twice, and on no other', async () => {
    const pool = createPool();
    const first = await readyPid(pool);
    const guilty = expect(pool.decode(large)).rejects.toMatchObject({
      code: 'Image.Crashed',
      message: expect.stringContaining('SIGSEGV') as string,
    });
    const others = Promise.all([small, small].map(async (body) => await pool.decode(body)));
    process.kill(first, 'SIGSEGV');
    const second = await readyPid(pool, first);
    process.kill(second, 'SIGSEGV');
    await guilty;
    for (const { width } of await others) expect(width).toBe(64);
  });

  it('replaces a process that dies idle', async () => {
    const pool = createPool();
    const pid = await readyPid(pool);
    process.kill(pid, 'SIGKILL');
    await readyPid(pool, pid);
    await expect(pool.decode(small)).resolves.toMatchObject({ width: 64 });
  });

  it('leaves Ctrl-C and SIGTERM to the parent', async () => {
    const pool = createPool();
    const pid = await readyPid(pool);
    const decode = pool.decode(large);
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    await expect(decode).resolves.toMatchObject({ width: 9000 });
    expect(pool.pids).toEqual([pid]);
  });

  it('rejects an aborted decode at once, queued or in flight, and goes on', async () => {
    const pool = createPool();
    const before = AbortSignal.abort(new Error('before'));
    await expect(pool.decode(small, { signal: before })).rejects.toThrow('before');
    const controller = new AbortController();
    await readyPid(pool);
    const open = Promise.allSettled(
      Array.from({ length: 8 }, async () => await pool.decode(large, { signal: controller.signal })),
    );
    controller.abort(new Error('enough'));
    for (const result of await open)
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
    await expect(pool.decode(small)).resolves.toMatchObject({ width: 64 });
  });

  it('closes at once, rejecting what is open', async () => {
    const pool = createPool({ processes: 2 });
    await readyPid(pool);
    const open = Promise.allSettled(Array.from({ length: 20 }, async () => await pool.decode(large)));
    const { pids } = pool;
    await pool.close();
    for (const result of await open) expect(result).toMatchObject({ reason: { code: 'Decode.Closed' } });
    expect(pids.filter(isAlive)).toEqual([]);
    await expect(pool.decode(small)).rejects.toMatchObject({ code: 'Decode.Closed' });
    await pool.close();
  });

  it('says so when no process can be started', async () => {
    const { NODE_OPTIONS } = process.env;
    process.env.NODE_OPTIONS = '--require=./no-such-module.cjs';
    try {
      const pool = createPool({ processes: 2 });
      await expect(pool.decode(small)).rejects.toMatchObject({
        code: 'Decode.Unavailable',
        message: expect.stringContaining('no-such-module') as string,
      });
      await pool.close();
    } finally {
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = NODE_OPTIONS;
    }
  });

  it('leaves no process behind when its parent is killed', async () => {
    const program = fileURLToPath(new URL('./poolOwner.ts', import.meta.url));
    const owner = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = (await once(owner.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(output.toString()) as number[];
    expect(pids).toHaveLength(2);
    expect(pids.every(isAlive)).toBe(true);
    owner.kill('SIGKILL');
    await untilGone(pids);
  });
});

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.flatMap((frame) => [frameLength(frame.length), frame]));
        const received: Uint8Array[] = [];
        const reader = new FrameReader((frame) => received.push(Uint8Array.from(frame)));
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + cuts[turn % cuts.length]!;
          reader.push(stream.subarray(at, end));
          at = end;
        }
        expect(received).toEqual(sent);
      }),
    );
  });
});
