import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** What code made something: the package's version, and the commit where it runs from a checkout of its own. */
export interface CodeVersion {
  version: string;
  /** Null outside of a checkout. A `+` at its end says that files differ from it. */
  commit: string | null;
}

/** The version of the code that runs. */
export async function codeVersion(): Promise<CodeVersion> {
  const require = createRequire(import.meta.url);
  const file = require.resolve('c2srt/package.json');
  const { version } = require(file) as { version: string };
  return { version, commit: await commitOf(dirname(file)) };
}

async function commitOf(dir: string): Promise<string | null> {
  // Installed as a dependency, the package lies in somebody else's checkout.
  if (!existsSync(join(dir, '.git'))) return null;
  try {
    const git = async (...args: string[]) => (await promisify(execFile)('git', ['-C', dir, ...args])).stdout;
    const commit = (await git('rev-parse', 'HEAD')).trim();
    const changes = await git('status', '--porcelain', '--untracked-files=no');
    return changes === '' ? commit : `${commit}+`;
  } catch {
    return null;
  }
}
