/**
 * The local Temporal server: one per folder, shared by every command that runs there.
 *
 * Two servers on one SQLite file neither serve nor fail, so all decisions are taken under one lock file, and the server
 * is nobody's child: it is a daemon in a session of its own (Ctrl-C in a terminal does not reach it) that lives
 * as long as somebody uses it. What the folder holds:
 *
 * - `temporal.db`, `temporal.log`: the server's data and output.
 * - `temporal.json`: the running server's address and process.
 * - `temporal.clients/<id>.json`: a file per user, naming its process by pid and start time.
 * - `temporal.lock`: the lock, held only while a server is looked for, started or stopped.
 *
 * A user registers, and deletes its file when it leaves; the one that leaves nobody behind stops the server, whoever
 * started it. A user that was killed leaves its file, which no longer names a live process and counts for nothing. When
 * all were killed the server goes on alone: the next command attaches to it, and stops it when it leaves. A starter
 * killed before it wrote `temporal.json` leaves a server that only the process table knows of, where its command line
 * names the database: so that is looked at before any start.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { Failure } from '../data/failure.ts';
import { withFileLock } from '../data/fileLock.ts';
import { SEARCH_ATTRIBUTE_TYPES } from '../data/run/atWork/searchAttributes.ts';
import {
  endProcess,
  findProcesses,
  identityOf,
  isAlive,
  ownIdentity,
  type ProcessIdentity,
} from './processes.ts';
import { freePort } from './ports.ts';
import { findTemporal } from './temporalProgram.ts';

/** How long a server may take until it answers; it needs 1 s on an idle machine. */
const READY_MS = 60_000;
/** How long a server may take to end after SIGTERM before it is killed. */
const END_MS = 15_000;
/** Longer than another process can hold the lock: it may end a stuck server, start one, and find the port taken. */
const LOCK_MS = 3 * (READY_MS + END_MS);
/** Ports are found free and then taken by others now and then. */
const START_ATTEMPTS = 3;

export interface LocalTemporalOptions {
  /** The folder of the server's data, created where missing. Default `.c2srt`. */
  dir?: string;
  /** Gets a line about each thing that takes time. */
  onProgress?: (message: string) => void;
  /** Serve Temporal's web pages too, where this call starts the server. Default false. */
  ui?: boolean;
  /** The port, where this call starts the server. Default: any free one. */
  port?: number;
  /** The `temporal` program. Default: {@link findTemporal}. */
  program?: string;
}

export interface LocalTemporal {
  /** `127.0.0.1:PORT`. */
  address: string;
  namespace: 'default';
  /** The web pages' URL, where the server serves them. */
  uiUrl: string | undefined;
  /** The server's process. */
  pid: number;
  /** Whether this call started the server (else it attached to a running one). */
  owned: boolean;
  /** Leaves; the last to leave stops the server and returns once it is gone. Calling it again does nothing. */
  stop(): Promise<void>;
}

interface ServerRecord extends ProcessIdentity {
  address: string;
  uiUrl?: string | undefined;
}

/**
 * Starts the folder's Temporal server, or attaches to the one that runs, and returns once it answers.
 *
 * @throws Failure `Setup.TemporalUnavailable` (no program and no way to get one), `Setup.TemporalFailed` (it ends at
 *   once or never answers; the message holds the end of its log), `Setup.LockTimeout`.
 */
export async function startOrAttachTemporal(options: LocalTemporalOptions = {}): Promise<LocalTemporal> {
  const dir = resolve(options.dir ?? '.c2srt');
  const onProgress = options.onProgress ?? (() => undefined);
  await mkdir(join(dir, 'temporal.clients'), { recursive: true });
  const program = options.program ?? (await findTemporal(onProgress));
  const client = join(dir, 'temporal.clients', `${randomUUID()}.json`);

  const { server, owned } = await locked(dir, async () => {
    const running = await runningServer(dir);
    const found = running ?? (await startServer(dir, program, options, onProgress));
    await writeWhole(client, JSON.stringify(await ownIdentity()));
    return { server: found, owned: running === undefined };
  });
  if (!owned) onProgress(`using the Temporal server that runs at ${server.address}`);

  let leaving: Promise<void> | undefined;
  return {
    address: server.address,
    namespace: 'default',
    uiUrl: server.uiUrl,
    pid: server.pid,
    owned,
    stop: () => (leaving ??= locked(dir, () => leave(dir, client))),
  };
}

async function locked<T>(dir: string, body: () => Promise<T>): Promise<T> {
  const path = join(dir, 'temporal.lock');
  const signal = AbortSignal.timeout(LOCK_MS);
  return await withFileLock(path, body, { signal }).catch((cause: unknown) => {
    if (cause !== signal.reason && (cause as Error).name !== 'AbortError') throw cause;
    throw new Failure('Setup.LockTimeout', `another command has held ${path} for ${LOCK_MS / 1000} s`, {
      subject: path,
      hint: `End the command that starts or stops the Temporal server of ${dir}, and try again.`,
      retryable: true,
      cause,
    });
  });
}

async function leave(dir: string, client: string): Promise<void> {
  await rm(client, { force: true });
  if (await anyClient(dir)) return;
  const server = await recordedServer(dir);
  if (server !== undefined) await endProcess(server, END_MS);
  await rm(recordOf(dir), { force: true });
}

/** Whether a live process is registered; the files of dead ones are deleted. */
async function anyClient(dir: string): Promise<boolean> {
  let any = false;
  const folder = join(dir, 'temporal.clients');
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    if (text.startsWith('{') && (await isAlive(JSON.parse(text) as ProcessIdentity))) any = true;
    else await rm(join(folder, name), { force: true });
  }
  return any;
}

/** The server that serves this folder; one that runs without answering is ended first. */
async function runningServer(dir: string): Promise<ServerRecord | undefined> {
  const recorded = await recordedServer(dir);
  const servers = recorded === undefined ? await unrecordedServers(dir) : [recorded];
  for (const server of servers) {
    if (await answers(server.address, server)) {
      await writeWhole(recordOf(dir), JSON.stringify(server));
      return server;
    }
    await endProcess(server, END_MS);
  }
  return undefined;
}

async function recordedServer(dir: string): Promise<ServerRecord | undefined> {
  const text = await readFile(recordOf(dir), 'utf8').catch(() => '');
  if (!text.startsWith('{')) return undefined;
  const server = JSON.parse(text) as ServerRecord;
  return (await isAlive(server)) ? server : undefined;
}

async function unrecordedServers(dir: string): Promise<ServerRecord[]> {
  const found = await findProcesses(['start-dev', databaseOf(dir)]);
  return found.map(({ pid, started, args }) => ({
    pid,
    started,
    address: `127.0.0.1:${args[args.indexOf('--port') + 1] ?? ''}`,
  }));
}

async function startServer(
  dir: string,
  program: string,
  options: LocalTemporalOptions,
  onProgress: (message: string) => void,
): Promise<ServerRecord> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const uiPort = options.ui === true ? await freePort() : undefined;
    onProgress(`starting the Temporal server of ${dir} at 127.0.0.1:${port}`);
    const logStart = await sizeOf(logOf(dir));
    const server = await launch(dir, program, port, uiPort);
    if (server !== undefined) {
      await writeWhole(recordOf(dir), JSON.stringify(server));
      if (await answers(server.address, server)) return server;
      await endProcess(server, END_MS);
    }
    const log = await readLog(dir, logStart);
    const portTaken = /address already in use|port \d+ .*(taken|in use|not available)|can't set port/i.test(
      log,
    );
    if (portTaken && options.port === undefined && attempt < START_ATTEMPTS) continue;
    throw new Failure('Setup.TemporalFailed', `the Temporal server of ${dir} did not start: ${tail(log)}`, {
      subject: dir,
      hint: portTaken
        ? `Something else uses port ${port}; choose another one.`
        : `See ${logOf(dir)}; where the database was damaged, move ${databaseOf(dir)} away and start again.`,
    });
  }
}

/** Spawns the server as a daemon; undefined where it is gone before it can be named. */
async function launch(
  dir: string,
  program: string,
  port: number,
  uiPort: number | undefined,
): Promise<ServerRecord | undefined> {
  const args = [
    ...['server', 'start-dev', '--db-filename', databaseOf(dir), '--ip', '127.0.0.1', '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...['--log-level', 'warn', '--color', 'never'],
    ...Object.entries(SEARCH_ATTRIBUTE_TYPES).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
    // Connection settings that commands have in their environment or in a profile are not this server's.
    ...['--disable-config-env', '--disable-config-file'],
  ];
  const log = await open(logOf(dir), 'a');
  try {
    const child = spawn(program, args, {
      cwd: dir,
      // Nothing else of the environment: a daemon outlives this command, and must not hold its credentials.
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((started, failed) => {
      child.once('spawn', started);
      child.once('error', (cause) => {
        failed(
          new Failure('Setup.TemporalFailed', `${program} cannot be run: ${cause.message}`, {
            subject: program,
            hint: 'Delete that file, or put a working `temporal` program on the PATH.',
            cause,
          }),
        );
      });
    });
    child.unref();
    const identity = await identityOf(child.pid!);
    const uiUrl = uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`;
    return identity && { ...identity, address: `127.0.0.1:${port}`, uiUrl };
  } finally {
    await log.close();
  }
}

/** Waits until the server's namespace can be used: false once its process is gone, or after {@link READY_MS}. */
async function answers(address: string, server: ProcessIdentity): Promise<boolean> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && (await isAlive(server))) {
    if (await serves(address)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function serves(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '1s', interceptors: [] });
    try {
      await connection.withDeadline(Date.now() + 2_000, () =>
        connection.workflowService.describeNamespace({ namespace: 'default' }),
      );
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    // Refuses connections, does not serve yet, has no namespace yet: each of them while a server starts.
    return false;
  }
}

/** So that a reader finds the old text or the new, never half of it. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text);
  await rename(draft, path);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function readLog(dir: string, fromByte: number): Promise<string> {
  const bytes = await readFile(logOf(dir)).catch(() => Buffer.alloc(0));
  return bytes.subarray(fromByte).toString('utf8').trim();
}

/** The last lines of a log, as one line. */
function tail(log: string): string {
  return log === '' ? 'it wrote nothing' : log.split('\n').slice(-3).join(' | ').slice(-600);
}

function recordOf(dir: string): string {
  return join(dir, 'temporal.json');
}
function databaseOf(dir: string): string {
  return join(dir, 'temporal.db');
}
function logOf(dir: string): string {
  return join(dir, 'temporal.log');
}
