import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Failure } from '../data/failure.ts';
import { withFileLock } from '../data/fileLock.ts';

/** Receives one line of progress at a time, for people to read. */
export type OnProgress = (line: string) => void;

/** A program that the project runs beside itself, and where it comes from. */
export interface ProgramSource {
  /** Name of the executable, as `versitygw`. */
  program: string;
  /** What `go install` takes, with its version. */
  goPackage: string;
  /** What the program is needed for, in words. */
  purpose: string;
  /** How long the installation takes, in words. */
  expect: string;
}

export interface FindOptions {
  /** Environment to read PATH and C2SRT_CACHE from. Default `process.env`. */
  env?: NodeJS.ProcessEnv;
  /** Cache folder; default {@link cacheDir} of `env`. */
  cacheDir?: string;
}

/** The folder outside the repository that keeps what was fetched: `$C2SRT_CACHE`, else `~/.cache/c2srt`; absolute. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const configured = env['C2SRT_CACHE'];
  return configured === undefined || configured === ''
    ? join(homedir(), '.cache', 'c2srt')
    : resolve(configured);
}

/** Path of `program` on PATH, else in the cache folder's `bin/`, else undefined. */
export async function findProgram(program: string, options: FindOptions = {}): Promise<string | undefined> {
  const env = options.env ?? process.env;
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, binFolder(options)]) {
    const path = join(folder, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/**
 * Path of a program: from PATH, else the cache folder, else installed there with `go install`. Processes that ask for
 * the same program at once install it once; a half-finished installation is never seen.
 *
 * @throws Failure `Setup.GoMissing`, `Setup.Offline` (retryable) or `Setup.InstallFailed`.
 */
export async function findOrInstall(
  source: ProgramSource,
  onProgress: OnProgress,
  options: FindOptions = {},
): Promise<string> {
  const found = await findProgram(source.program, options);
  if (found !== undefined) return found;
  const folder = binFolder(options);
  await mkdir(folder, { recursive: true });
  return await withFileLock(
    join(folder, `.${source.program}.lock`),
    async () =>
      (await findProgram(source.program, options)) ?? (await install(source, folder, onProgress, options)),
    {
      pollMs: 500,
      onWait: () => onProgress(`Waiting for another process that is installing ${source.program}.`),
    },
  );
}

async function install(
  source: ProgramSource,
  folder: string,
  onProgress: OnProgress,
  options: FindOptions,
): Promise<string> {
  const env = options.env ?? process.env;
  const go = await findProgram('go', options);
  if (go === undefined) {
    throw new Failure(
      'Setup.GoMissing',
      `${source.program} (${source.purpose}) is not installed, and neither is Go to build it with.`,
      {
        subject: source.program,
        hint: `Put ${source.program} on PATH, or install Go (https://go.dev/dl) and try again.`,
      },
    );
  }
  onProgress(
    `Installing ${source.program} (${source.purpose}), once, into ${folder}: go install ${source.goPackage} (${source.expect}).`,
  );
  const startedMs = performance.now();
  const building = await mkdtemp(join(folder, `.${source.program}-`));
  const seconds = () => Math.round((performance.now() - startedMs) / 1000);
  const ticker = setInterval(
    () => onProgress(`Still installing ${source.program} (${seconds()} s).`),
    15_000,
  );
  try {
    const { exitCode, lines } = await goInstall(
      go,
      source.goPackage,
      { ...env, GOBIN: building },
      onProgress,
    );
    if (exitCode !== 0) throw installFailure(source, lines);
    const path = join(folder, source.program);
    await rename(join(building, source.program), path);
    onProgress(`Installed ${source.program} in ${seconds()} s.`);
    return path;
  } finally {
    clearInterval(ticker);
    await rm(building, { recursive: true, force: true });
  }
}

/** Runs `go install`; `go: downloading` lines go on to `onProgress`. Returns the last lines it printed. */
async function goInstall(
  go: string,
  goPackage: string,
  env: NodeJS.ProcessEnv,
  onProgress: OnProgress,
): Promise<{ exitCode: number; lines: string[] }> {
  const child = spawn(go, ['install', goPackage], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = () => child.kill();
  process.once('exit', stop);
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (lines.length > 40) lines.shift();
    if (line.startsWith('go: downloading')) onProgress(line);
  });
  try {
    const exitCode = await new Promise<number>((settle, reject) => {
      child.once('error', reject);
      child.once('close', (code) => settle(code ?? 1));
    });
    return { exitCode, lines };
  } finally {
    process.off('exit', stop);
  }
}

const OFFLINE =
  /dial tcp|no such host|connection refused|network is unreachable|i\/o timeout|TLS handshake timeout|module lookup disabled|proxyconnect|temporary failure in name resolution|unexpected EOF/i;

function installFailure(source: ProgramSource, lines: string[]): Failure {
  const what = `${source.program} (${source.purpose})`;
  const last = lines.at(-1) ?? 'no output';
  if (lines.some((line) => OFFLINE.test(line))) {
    return new Failure(
      'Setup.Offline',
      `${what} is not cached and cannot be fetched: this machine is offline (${last}).`,
      {
        subject: source.program,
        hint: `Put ${source.program} on PATH, or run once with a network connection.`,
        retryable: true,
      },
    );
  }
  return new Failure(
    'Setup.InstallFailed',
    `go install ${source.goPackage} failed: ${lines.slice(-5).join(' | ') || last}`,
    {
      subject: source.program,
      hint: `Put ${source.program} on PATH, or make "go install ${source.goPackage}" work.`,
    },
  );
}

function binFolder(options: FindOptions): string {
  return join(options.cacheDir ?? cacheDir(options.env), 'bin');
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
