import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withFileLock } from '../data/fileLock.ts';
import { cacheDir, type OnProgress } from './programs.ts';

const run = promisify(execFile);

export interface PythonEnvironment {
  /** Of its folder in the cache. */
  name: string;
  /** What it is needed for, in words. */
  purpose: string;
  /** What pip is to install, pinned. */
  packages: readonly string[];
  /** How long that takes, in words. */
  expect: string;
}

/**
 * The Python of an environment of its own in the cache folder, made on first use; processes that ask for the same at
 * once make it once. Throws where there is no Python, or pip cannot install the packages.
 */
export async function pythonEnvironment(
  { name, purpose, packages, expect }: PythonEnvironment,
  onProgress: OnProgress,
): Promise<string> {
  const folder = join(cacheDir(), name);
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  await mkdir(cacheDir(), { recursive: true });
  return await withFileLock(`${folder}.lock`, async () => {
    try {
      await access(complete);
    } catch {
      onProgress(`Installing ${name} (${purpose}), once, into ${folder} (${expect}).`);
      await rm(folder, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', folder]);
      await run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
      await mkdir(complete);
    }
    return python;
  });
}
