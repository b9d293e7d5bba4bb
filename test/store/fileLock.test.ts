import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { utimesSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileLock } from '../../data/fileLock.ts';
import { failureOf } from '../support/servers/s3.ts';

let folder: string;
let lockFile: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-lock-'));
  lockFile = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));

const module = fileURLToPath(new URL('../../data/fileLock.ts', import.meta.url));

/** A process that runs `body`, in which `withFileLock` and `fs` are known. */
function child(body: string) {
  const code = `import { withFileLock } from ${JSON.stringify(module)}; import fs from 'node:fs';\n${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

test('processes take turns', async () => {
  const counter = join(folder, 'counter');
  await writeFile(counter, '0');
  const body = `for (let i = 0; i < 25; i++) await withFileLock(${JSON.stringify(lockFile)}, async () => {
    const n = Number(fs.readFileSync(${JSON.stringify(counter)}, 'utf8'));
    await new Promise((next) => setImmediate(next));
    fs.writeFileSync(${JSON.stringify(counter)}, String(n + 1));
  }, { pollMs: 2 });`;
  const codes = await Promise.all([1, 2, 3].map(async () => (await once(child(body), 'exit'))[0] as number));
  expect(codes).toEqual([0, 0, 0]);
  expect(await readFile(counter, 'utf8')).toBe('75');
  expect(await readdir(folder)).toEqual(['counter']);
});

test('the lock of a process that was killed is taken over, by one of those that wait', async () => {
  const holder = child(`await withFileLock(${JSON.stringify(lockFile)}, () => {
    console.log('held');
    return new Promise(() => setInterval(() => undefined, 1000));
  });`);
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  let inside = 0;
  const work = async () => {
    expect(++inside).toBe(1);
    await new Promise((next) => setTimeout(next, 5));
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withFileLock(lockFile, work)));
  expect(await readdir(folder)).toEqual([]);
});

test('a lock of another host that nobody touches is taken over, and one that is touched is not', async () => {
  await writeFile(lockFile, JSON.stringify({ host: 'elsewhere.invalid', pid: 1, id: 'x' }));
  const enough = new AbortController();
  let touches = 0;
  const touching = setInterval(() => {
    const now = new Date();
    utimesSync(lockFile, now, now);
    if (++touches === 100) enough.abort();
  }, 20);
  const waiting = withFileLock(lockFile, () => Promise.resolve(), { staleMs: 1500, signal: enough.signal });
  expect((await failureOf(waiting)).name).toBe('AbortError');
  clearInterval(touching);
  let waited = 0;
  await withFileLock(lockFile, () => Promise.resolve(), { staleMs: 200, onWait: () => waited++ });
  expect(waited).toBe(1);
});

test('a lock file that a power cut emptied is taken over', async () => {
  await writeFile(lockFile, '');
  await withFileLock(lockFile, () => Promise.resolve(), { staleMs: 100 });
  expect(await readdir(folder)).toEqual([]);
});

test('the lock is free again after an error', async () => {
  expect((await failureOf(withFileLock(lockFile, () => Promise.reject(new Error('no'))))).message).toBe('no');
  expect(await withFileLock(lockFile, (lock) => lock.stillHeld())).toBe(true);
  expect(await readdir(folder)).toEqual([]);
});
