import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withFileLock } from '../../data/fileLock.ts';
import { cacheDir } from '../../infra/programs.ts';

const run = promisify(execFile);

/**
 * A Python that has `packages` (pinned, as pip takes them), in an environment of its own in the cache folder, made on
 * first use. Without Python: undefined, so that tests are reported as skipped; on CI an error.
 */
export async function pythonWith(
  name: string,
  purpose: string,
  packages: readonly string[],
): Promise<string | undefined> {
  try {
    return await install(name, purpose, packages);
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`${name} is not available, its tests are skipped: ${String(error)}`);
    return undefined;
  }
}

async function install(name: string, purpose: string, packages: readonly string[]): Promise<string> {
  const folder = join(cacheDir(), name);
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  await mkdir(cacheDir(), { recursive: true });
  return await withFileLock(`${folder}.lock`, async () => {
    try {
      await access(complete);
    } catch {
      console.warn(`Installing ${name} (${purpose}), once, into ${folder} (about 30 s).`);
      await rm(folder, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', folder]);
      await run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
      await mkdir(complete);
    }
    return python;
  });
}
