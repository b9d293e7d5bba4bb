import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { endProcess, findProcesses, identityOf, isAlive, ownIdentity } from '../../infra/processes.ts';

test('a process is itself until it is gone', async () => {
  const child = await startChild('setInterval(() => {}, 1000);');
  const identity = (await identityOf(child.pid!))!;
  expect(await isAlive(identity)).toBe(true);
  expect(await isAlive({ ...identity, started: (await ownIdentity()).started })).toBe(false);
  const exit = once(child, 'exit');
  await endProcess(identity, 10_000);
  expect(await isAlive(identity)).toBe(false);
  expect((await exit)[1]).toBe('SIGTERM');
  await endProcess(identity, 10_000);
});

test('one that ignores SIGTERM is killed', async () => {
  const child = await startChild(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`);
  const exit = once(child, 'exit');
  await endProcess((await identityOf(child.pid!))!, 300);
  expect((await exit)[1]).toBe('SIGKILL');
});

test('processes are found by their arguments, all of them', async () => {
  const mark = `mark-${process.pid}-${Date.now()}`;
  const child = await startChild('setInterval(() => {}, 1000);', mark, 'more');
  expect((await findProcesses([mark, 'more'])).map(({ pid }) => pid)).toEqual([child.pid]);
  expect(await findProcesses([mark, 'less'])).toEqual([]);
  expect(await findProcesses([mark.slice(0, -1)])).toEqual([]);
  await endProcess((await identityOf(child.pid!))!, 10_000);
});

/** A Node process that runs `script`, once it does. */
async function startChild(script: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `${script} console.log('up');`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}
