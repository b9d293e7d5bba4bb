import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../cli/c2srt.mjs', import.meta.url));

/** How a command ended. */
export interface CliResult {
  /** Null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A `c2srt` command at work. */
export interface CliProcess {
  readonly pid: number;
  /** What it has written to both outputs so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<CliResult>;
}

export interface CliOptions {
  cwd: string;
  /** On top of an environment without any of Temporal's, AWS's or this project's variables. */
  env?: Readonly<Record<string, string>>;
}

/** Commands that have not ended, for {@link endCommands}. */
const running = new Set<CliProcess>();

/** Starts `c2srt` with `args`. */
export function startCli(args: readonly string[], { cwd, env = {} }: CliOptions): CliProcess {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd,
    env: { ...neutralEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, as a shell gives it one.
    detached: true,
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (piece: string) => (text[name] += piece));
  const abandon = (): void => void child.kill('SIGKILL');
  process.once('exit', abandon);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(command);
    process.off('exit', abandon);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...text };
  });
  const command: CliProcess = {
    pid: child.pid!,
    output: () => text.stdout + text.stderr,
    kill(signal) {
      // A terminal's Ctrl-C reaches the whole group.
      if (signal === 'SIGINT') process.kill(-child.pid!, signal);
      else child.kill(signal);
    },
    ended,
  };
  running.add(command);
  return command;
}

/** Runs `c2srt` with `args` to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended;
}

/** Kills what a failed test left running. */
export async function endCommands(): Promise<void> {
  for (const command of running) {
    command.kill('SIGKILL');
    await command.ended;
  }
}

/** The one JSON object that a command printed, and nothing else. */
export function jsonOf({ stdout, stderr }: CliResult): Record<string, unknown> {
  const lines = stdout.trim().split('\n');
  if (lines.length !== 1 || !lines[0]!.startsWith('{'))
    throw new Error(`expected one JSON object, got: ${stdout}\n${stderr}`);
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

/** Waits until `condition` gives something other than undefined or false; rejects with `what` after `timeoutMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 90_000,
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    if (Date.now() > deadlineMs) throw new Error(`did not happen in ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function neutralEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(TEMPORAL_|AWS_|NODE_OPTIONS|VITEST)|^C2SRT_(?!CACHE$)/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  // Nothing outside of a test decides what it reads.
  return Object.fromEntries([...own, ['AWS_EC2_METADATA_DISABLED', 'true']]);
}
