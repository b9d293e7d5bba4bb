import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, isAlive, type ProcessIdentity } from '../../infra/processes.ts';
import { endCommands } from './cli.ts';

/** A temporary folder to run commands in: their local server is of `.c2srt/`, a test's own of `temporal/`. */
export interface Workplace {
  dir: string;
  path(...names: string[]): string;
  /** Ends what commands left running here, and removes the folder. */
  clear(): Promise<void>;
}

export async function makeWorkplace(): Promise<Workplace> {
  const dir = await mkdtemp(join(tmpdir(), 'c2srt-e2e-'));
  return {
    dir,
    path: (...names) => join(dir, ...names),
    async clear() {
      await endCommands();
      for (const state of ['.c2srt', 'temporal']) await endTemporal(join(dir, state));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The local Temporal server's process of a state folder; undefined where none runs. */
export async function temporalOf(
  stateDir: string,
): Promise<(ProcessIdentity & { address: string }) | undefined> {
  const text = await readFile(join(stateDir, 'temporal.json'), 'utf8').catch(() => '');
  if (!text.startsWith('{')) return undefined;
  const server = JSON.parse(text) as ProcessIdentity & { address: string };
  return (await isAlive(server)) ? server : undefined;
}

/** Ends the local Temporal server of a state folder, as a power cut would. */
export async function endTemporal(stateDir: string): Promise<void> {
  const server = await temporalOf(stateDir);
  if (!server) return;
  process.kill(server.pid, 'SIGKILL');
  await endProcess(server, 5_000);
}
