import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

// The chunks of the head and what is computed once per vocabulary keep it so; the bench has all three forms.
test('7,186 categories on a ViT-B/16-sized model stay under 3 GiB of process memory', async () => {
  const bench = [resolve('bench/main.ts'), 'memory', '--form', 'residual'];
  const { stdout } = await promisify(execFile)(process.execPath, bench);
  expect(stdout).toMatch(/^residual +7186 categories: peak [\d.]+ GiB \(limit 3: met\)/);
}, 300_000);
