import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { endProcess, findProcesses, identityOf } from '../../infra/processes.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import { findTemporal } from '../../infra/temporalProgram.ts';

const CLIENT = fileURLToPath(new URL('temporalClient.ts', import.meta.url));

interface Attached {
  address: string;
  pid: number;
  owned: boolean;
}

let dir: string;
const children: ChildProcess[] = [];

// The first time on a machine this downloads or builds the program, for minutes.
beforeAll(() => findTemporal((line) => process.stdout.write(`${line}\n`)));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-temporal-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  for (const server of await servers()) await endProcess(server, 15_000);
  await rm(dir, { recursive: true });
});

test('the second user attaches to the server of the first, and the last one out ends it', async () => {
  const first = await startOrAttachTemporal({ dir });
  const second = await startOrAttachTemporal({ dir });
  expect(first.owned).toBe(true);
  expect(second).toMatchObject({ owned: false, address: first.address, pid: first.pid });

  await first.stop();
  expect(await namespaces(second.address)).toContain('default');
  await second.stop();
  expect(await identityOf(first.pid)).toBeUndefined();
  await second.stop();
});

test('what was started before a restart is there after it', async () => {
  const before = await startOrAttachTemporal({ dir });
  await withClient(before.address, (client) =>
    client.workflow.start('tagCorpus', { workflowId: 'survivor', taskQueue: 'nobody', args: [] }),
  );
  await before.stop();

  const after = await startOrAttachTemporal({ dir });
  const description = await withClient(after.address, (client) =>
    client.workflow.getHandle('survivor').describe(),
  );
  expect(after.owned).toBe(true);
  expect(description).toMatchObject({ type: 'tagCorpus', status: { name: 'RUNNING' } });
  await after.stop();
});

test('five commands at once share one server, and leaving in any order ends it', async () => {
  const users = await Promise.all(Array.from({ length: 5 }, () => startUser()));
  expect(new Set(users.map((user) => user.attached.pid)).size).toBe(1);
  expect(users.filter((user) => user.attached.owned)).toHaveLength(1);
  expect(await servers()).toHaveLength(1);

  const owner = users.findIndex((user) => user.attached.owned);
  const first = users[owner]!;
  const others = users.filter((user) => user !== first);
  expect(await leave(first.child)).toBe(0);
  expect(await namespaces(first.attached.address)).toContain('default');
  expect(await Promise.all(others.map((user) => leave(user.child)))).toEqual([0, 0, 0, 0]);
  expect(await servers()).toEqual([]);
});

test('a server whose users were all killed is taken over, and ends with its next user', async () => {
  const killed = await startUser();
  await kill(killed.child);
  expect(await servers()).toHaveLength(1);

  const next = await startOrAttachTemporal({ dir });
  expect(next).toMatchObject({ owned: false, pid: killed.attached.pid });
  await next.stop();
  expect(await servers()).toEqual([]);
  expect(await readdir(join(dir, 'temporal.clients'))).toEqual([]);
});

test('a server that no file tells of is found by its command line', async () => {
  const killed = await startUser();
  await kill(killed.child);
  await rm(join(dir, 'temporal.json'));

  const next = await startOrAttachTemporal({ dir });
  expect(next).toMatchObject({ owned: false, pid: killed.attached.pid, address: killed.attached.address });
  await next.stop();
  expect(await servers()).toEqual([]);
});

test('a command killed while it starts the server is in nobody’s way', async () => {
  const child = spawn(process.execPath, [CLIENT, dir], { stdio: ['pipe', 'ignore', 'inherit'] });
  children.push(child);
  while ((await servers()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await kill(child);

  const next = await startOrAttachTemporal({ dir });
  expect(await servers()).toHaveLength(1);
  expect(await namespaces(next.address)).toContain('default');
  await next.stop();
  expect(await servers()).toEqual([]);
});

test('the lock of a command that was killed is taken over', async () => {
  const lock = JSON.stringify(new URL('../../data/fileLock.ts', import.meta.url).href);
  const holder = `import { withFileLock } from ${lock};
    setInterval(() => {}, 1000);
    await withFileLock(process.argv[1], () => (console.log('held'), new Promise(() => {})));`;
  const args = ['--input-type=module', '-e', holder, join(dir, 'temporal.lock')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  await kill(child);

  const temporal = await startOrAttachTemporal({ dir });
  expect(temporal.owned).toBe(true);
  await temporal.stop();
});

test('the web pages and the port are as asked for', async () => {
  const spare = await startOrAttachTemporal({ dir });
  const port = Number(spare.address.split(':')[1]);
  await spare.stop();
  const temporal = await startOrAttachTemporal({ dir, ui: true, port });
  expect(temporal.address).toBe(`127.0.0.1:${port}`);
  expect((await fetch(temporal.uiUrl!)).status).toBe(200);
  await temporal.stop();
});

test('files that name a process whose pid is now another one’s count for nothing', async () => {
  const self = (await identityOf(process.pid))!;
  const impostor = { ...self, started: `${self.started}0` };
  await writeFile(join(dir, 'temporal.json'), JSON.stringify({ ...impostor, address: '127.0.0.1:1' }));
  const temporal = await startOrAttachTemporal({ dir });
  await writeFile(join(dir, 'temporal.clients', 'stale.json'), JSON.stringify(impostor));
  expect(temporal.owned).toBe(true);
  await temporal.stop();
  expect(await servers()).toEqual([]);
});

test('a server that was killed is replaced, with its data', async () => {
  const first = await startOrAttachTemporal({ dir });
  await withClient(first.address, (client) =>
    client.workflow.start('tagCorpus', { workflowId: 'survivor', taskQueue: 'nobody', args: [] }),
  );
  process.kill(first.pid, 'SIGKILL');
  const second = await startOrAttachTemporal({ dir });
  expect(second.owned).toBe(true);
  const description = await withClient(second.address, (client) =>
    client.workflow.getHandle('survivor').describe(),
  );
  expect(description.status.name).toBe('RUNNING');
  await first.stop();
  expect(await namespaces(second.address)).toContain('default');
  await second.stop();
  expect(await servers()).toEqual([]);
});

test('a program that ends at once is a failure that shows what it said', async () => {
  const program = join(dir, 'temporal');
  await writeFile(program, '#!/bin/sh\necho no luck today >&2\nexit 3\n', { mode: 0o755 });
  await expect(startOrAttachTemporal({ dir, program })).rejects.toMatchObject({
    code: 'Setup.TemporalFailed',
    message: expect.stringContaining('no luck today') as string,
  });
});

test('the database’s files and the log are where the module says', async () => {
  const temporal = await startOrAttachTemporal({ dir });
  await temporal.stop();
  expect(await readdir(dir)).toEqual(
    expect.arrayContaining(['temporal.clients', 'temporal.db', 'temporal.log']),
  );
  expect(await readFile(join(dir, 'temporal.json'), 'utf8').catch(() => 'gone')).toBe('gone');
});

async function servers() {
  return await findProcesses(['start-dev', join(dir, 'temporal.db')]);
}

async function startUser(): Promise<{ child: ChildProcess; attached: Attached }> {
  const child = spawn(process.execPath, [CLIENT, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the client exited with ${String(code)}`))),
  ])) as [string];
  return { child, attached: JSON.parse(line) as Attached };
}

async function leave(child: ChildProcess): Promise<unknown> {
  const exit = once(child, 'exit');
  child.stdin!.end();
  return (await exit)[0] as unknown;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function withClient<T>(address: string, body: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await body(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

async function namespaces(address: string): Promise<(string | null | undefined)[]> {
  return await withClient(address, async (client) => {
    const { namespaces } = await client.workflowService.listNamespaces({});
    return namespaces.map((namespace) => namespace.namespaceInfo?.name);
  });
}
