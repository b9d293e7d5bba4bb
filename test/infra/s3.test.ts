import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { startLocalS3 } from '../../infra/s3.ts';
import { failureOf } from '../support/servers/s3.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-local-s3-'));
});
afterEach(() => rm(folder, { recursive: true }));

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('keeps its buckets over a restart, and is gone after stop', async () => {
  const first = await startLocalS3({ dir: join(folder, 'a') });
  await ensureBucket('s3://kept', { env: first.env });
  await ensureBucket('s3://kept', { env: first.env });
  await openStore('s3://kept', { env: first.env }).put('key', 'value');
  await first.stop();
  expect(isRunning(first.pid)).toBe(false);

  const second = await startLocalS3({ dir: join(folder, 'a') });
  const { body } = await openStore('s3://kept', { env: second.env }).get('key');
  expect(Buffer.from(body).toString()).toBe('value');
  await second.stop();
});

test('a port that is taken is said', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const failure = await failureOf(startLocalS3({ dir: join(folder, 'a'), port }));
  expect(failure).toMatchObject({ code: 'Setup.S3Unavailable' });
  expect(failure.message).toContain(String(port));
  other.close();
});

test('ends with the process that started it', async () => {
  const module = fileURLToPath(new URL('../../infra/s3.ts', import.meta.url));
  const code = `import { startLocalS3 } from ${JSON.stringify(module)};
const server = await startLocalS3({ dir: ${JSON.stringify(join(folder, 'a'))} });
console.log(server.pid);
process.exit(0);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  parent.stdout.on('data', (data: Buffer) => (out += data.toString()));
  await once(parent, 'close');
  const pid = Number(out);
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});
