/** A program that owns a busy pool of two, says its pids, and goes on until it is killed. */
import { createDecodePool } from '../../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { zlibPng } from './bytes.ts';

const pool = createDecodePool({
  processes: 2,
  preprocess: parsePreprocessConfig({}),
  ...DEFAULT_IMAGE_LIMITS,
});
while (pool.pids.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
const body = zlibPng(9000, 10000, 0, Buffer.alloc(9000 * 10000));
const decodes = [pool.decode(body), pool.decode(body), pool.decode(body), pool.decode(body)];
console.log(JSON.stringify(pool.pids));
await Promise.all(decodes);
await new Promise((resolve) => setTimeout(resolve, 600_000));
