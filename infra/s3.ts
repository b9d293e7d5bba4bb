import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure } from '../data/failure.ts';
import { freePort } from './ports.ts';
import { findOrInstall, type OnProgress, type ProgramSource } from './programs.ts';

const VERSITYGW: ProgramSource = {
  program: 'versitygw',
  goPackage: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
  purpose: 'local S3 server',
  expect: 'about 90 s',
};

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

export interface LocalS3Options {
  /** Folder that holds the buckets, one folder each; created where missing. The log goes beside it, `<dir>.log`. */
  dir: string;
  /** Default: see `cacheDir()`. */
  cacheDir?: string;
  /** Port on 127.0.0.1. Default: a free one. */
  port?: number;
  /** Default `c2srt`. */
  accessKeyId?: string;
  /** Default: a random one per start. */
  secretAccessKey?: string;
  /**
   * Keeps a terminal's Ctrl-C from the server, for those who need it while they stop; they must then end in order, by
   * {@link LocalS3.stop} or `process.exit`. Default false.
   */
  outlivesInterrupt?: boolean;
  onProgress?: OnProgress;
}

export interface LocalS3 {
  /** As `http://127.0.0.1:7070`. */
  endpoint: string;
  /** What a client needs in its environment: endpoint, credentials, region. */
  env: Record<'AWS_ENDPOINT_URL_S3' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY' | 'AWS_REGION', string>;
  pid: number;
  logFile: string;
  /** Ends the server; resolves when it is gone. */
  stop: () => Promise<void>;
}

/**
 * Starts a local S3 server (versitygw) on a folder and waits until it answers. It is installed into the cache folder
 * first where it is missing. It ends with {@link LocalS3.stop}, or with this process.
 *
 * @throws Failure `Setup.S3Unavailable`
 */
export async function startLocalS3(options: LocalS3Options): Promise<LocalS3> {
  const program = await install(options);
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true });
  const logFile = `${dir}.log`;
  const accessKeyId = options.accessKeyId ?? 'c2srt';
  const secretAccessKey = options.secretAccessKey ?? randomBytes(20).toString('hex');
  // Only this server knows it: another one on the same port must not pass for it.
  const healthPath = `/health-${randomBytes(8).toString('hex')}`;
  const environment = { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };

  // Another process may take a port that was free a moment ago.
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const endpoint = `http://127.0.0.1:${port}`;
    const flags = ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', '--health', healthPath];
    for (const storage of [[], ['--sidecar', `${dir}.meta`]]) {
      // File systems without extended attributes need a folder for what does not fit in a file.
      if (storage[1] !== undefined) await mkdir(storage[1], { recursive: true });
      const server = start(program, [...flags, 'posix', ...storage, dir], {
        environment,
        logFile,
        detached: options.outlivesInterrupt ?? false,
      });
      if (await answers(server.child, endpoint + healthPath)) {
        const env = {
          AWS_ENDPOINT_URL_S3: endpoint,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_REGION: 'us-east-1',
        };
        return { endpoint, env, pid: server.child.pid!, logFile, stop: server.stop };
      }
      await server.stop();
      if (!/xattr|extended attributes/i.test(await tailOf(logFile))) break;
    }
    const log = await tailOf(logFile);
    if (options.port !== undefined || attempt === 3 || !/address already in use/.test(log)) {
      throw new Failure(
        'Setup.S3Unavailable',
        `The local S3 server did not start on port ${port}: ${log.trim()}`,
        {
          subject: logFile,
          hint: `See ${logFile}, or set AWS_ENDPOINT_URL_S3 to a server that runs already.`,
        },
      );
    }
  }
}

async function install(options: LocalS3Options): Promise<string> {
  try {
    const where = options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir };
    return await findOrInstall(VERSITYGW, options.onProgress ?? (() => undefined), where);
  } catch (error) {
    if (!isFailure(error, 'Setup.')) throw error;
    throw new Failure('Setup.S3Unavailable', `No local S3 server: ${error.message}`, {
      subject: VERSITYGW.program,
      hint: error.hint ?? 'Set AWS_ENDPOINT_URL_S3 to a server that runs already.',
      cause: error,
    });
  }
}

function start(
  program: string,
  flags: string[],
  {
    environment,
    logFile,
    detached,
  }: { environment: Record<string, string>; logFile: string; detached: boolean },
): { child: ChildProcess; stop: () => Promise<void> } {
  const log = openSync(logFile, 'a');
  const child = spawn(program, flags, {
    env: { ...process.env, ...environment },
    cwd: dirname(logFile),
    detached,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const gone = new Promise<void>((settle) => {
    child.once('exit', () => settle());
    child.once('error', () => settle());
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    child.kill('SIGTERM');
    const patience = setTimeout(kill, STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(patience);
  };
  return { child, stop };
}

/** Whether the server comes to answer; false once its process is gone or the time is up. */
async function answers(child: ChildProcess, url: string): Promise<boolean> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs && child.exitCode === null && child.signalCode === null) {
    if (child.pid === undefined) return false;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
      await answer.arrayBuffer();
      if (answer.ok) return true;
    } catch {
      // Not listening yet.
    }
    await sleep(50);
  }
  return false;
}

async function tailOf(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).slice(-500);
}
