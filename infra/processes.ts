import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Names one process for good: a pid alone is reused once its process is gone. */
export interface ProcessIdentity {
  pid: number;
  /** When the process started, in the system's own terms: compared for equality, never parsed. */
  started: string;
}

const run = promisify(execFile);

/** The identity of the live process `pid`; undefined where there is none (or only a zombie of it). */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const started = process.platform === 'linux' ? await startedOnLinux(pid) : await startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether the very process that `identity` names still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.started === identity.started;
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const identity = await identityOf(process.pid);
  if (identity === undefined) throw new Error(`the process table does not show process ${process.pid}`);
  return identity;
}

/** A process of the machine with its command line. */
export interface ProcessEntry extends ProcessIdentity {
  /** Its arguments; where the system joins them with spaces, split at spaces. */
  args: string[];
}

/** The live processes whose arguments include all of `args`. */
export async function findProcesses(args: string[]): Promise<ProcessEntry[]> {
  const table = process.platform === 'linux' ? await tableOnLinux() : await tableByPs();
  const found: ProcessEntry[] = [];
  for (const entry of table) {
    if (!args.every((argument) => entry.args.includes(argument))) continue;
    const identity = await identityOf(entry.pid);
    if (identity !== undefined) found.push({ ...identity, args: entry.args });
  }
  return found;
}

/**
 * Ends a process: SIGTERM, and SIGKILL where it still runs after `graceMs`. Returns once it is gone.
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isAlive(identity))) return;
    try {
      process.kill(identity.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline) {
      if (!(await isAlive(identity))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`process ${identity.pid} does not end`);
}

let bootId: Promise<string> | undefined;

/** Fields 3 (state) and 22 (start, in clock ticks since boot) of /proc/PID/stat; see proc_pid_stat(5). */
async function startedOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field, the program's name, is in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  bootId ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (id) => id.trim(),
    () => '',
  );
  return `${await bootId}/${fields[19] ?? ''}`;
}

async function startedByPs(pid: number): Promise<string | undefined> {
  const lines = await ps(['-o', 'stat=,lstart=', '-p', String(pid)]);
  const match = /^(\S+)\s+(.+)$/.exec(lines[0] ?? '');
  return match === null || match[1]!.startsWith('Z') ? undefined : match[2];
}

async function tableOnLinux(): Promise<{ pid: number; args: string[] }[]> {
  const table: { pid: number; args: string[] }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line !== '') table.push({ pid: Number(name), args: line.split('\0') });
  }
  return table;
}

async function tableByPs(): Promise<{ pid: number; args: string[] }[]> {
  const lines = await ps(['-axww', '-o', 'pid=,args=']);
  return lines.map((line) => {
    const [pid = '', ...args] = line.split(/\s+/);
    return { pid: Number(pid), args };
  });
}

/** The lines of `ps`; none where it finds no process (it then exits with 1). */
async function ps(args: string[]): Promise<string[]> {
  const options = { env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' }, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await run('ps', args, options).catch(() => ({ stdout: '' }));
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
