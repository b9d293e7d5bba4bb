import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

// The chunks of the head and what is computed once per vocabulary keep it so; the bench has all three forms.
test('7,186 categories on a ViT-B/16-sized model stay under 3 GiB of process memory', async () => {
  const bench = [resolve('bench/main.ts'), 'memory', '--form', 'residual'];
  const { stdout } = await promisify(execFile)(process.execPath, bench);
  expect(stdout).toMatch(/^residual +7186 categories in 1: peak [\d.]+ GiB \(limit 3: met\)/);
}, 300_000);

test('the part of a batch that a training step works on takes no more than is expected of it', async () => {
  const sizes = ['--categories', '512', '--batch-size', '4', '--micro-batch', '2'];
  const bench = [resolve('bench/main.ts'), 'memory', '--train', '--form', 'residual', ...sizes];
  const { stdout } = await promisify(execFile)(process.execPath, bench);
  const [, took, expected] = /a part took ([\d.]+) GiB, expected at most ([\d.]+)/.exec(stdout)!.map(Number);
  expect(took).toBeGreaterThan(0.5 * expected!);
  expect(took).toBeLessThanOrEqual(expected!);
}, 300_000);
