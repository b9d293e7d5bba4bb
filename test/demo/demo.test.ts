import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const DEMO = resolve('cli/demo.ts');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-demo-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the demo as `npm run demo` does, but in the temporary folder. */
async function demo(...flags: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [DEMO, ...flags], { cwd: folder });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  const code = await new Promise<number | null>((settle) => child.on('close', settle));
  return { code, output };
}

test('the demo tags a bucket with the figures that PyTorch got, and a second start says so', async () => {
  const first = await demo();
  expect(first.output).toContain('put 600 scenes into s3://scenes');
  expect(first.output).toContain('they agree');
  expect(first.code).toBe(0);

  const second = await demo();
  expect(second.output).toContain('has run already');
  expect(second.output).toContain('npm run demo -- --fresh');
  expect(second.output).toContain('they agree');
  expect(second.code).toBe(0);
}, 600_000);

test('the demo refuses a flag that it does not know', async () => {
  const { code, output } = await demo('--frehs');
  expect(output).toContain('--frehs');
  expect(code).toBe(2);
});
