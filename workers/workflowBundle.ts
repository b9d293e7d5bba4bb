import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime, type WorkflowBundleOption } from '@temporalio/worker';

/** What is in a bundle besides our workflows. */
const BUNDLED_PACKAGES = ['@temporalio/worker', '@temporalio/workflow', '@temporalio/common'];

/**
 * The workflows' code as workers run it. Bundling takes seconds of a short run, so a bundle is kept in `cacheDir` under
 * the hash of all that it is made of: every file of ours that the workflows reach, and the SDK's version.
 */
export async function workflowBundle(cacheDir: string): Promise<WorkflowBundleOption> {
  const index = import.meta.url.endsWith('.ts') ? '../workflows/index.ts' : '../workflows/index.js';
  const entry = fileURLToPath(new URL(index, import.meta.url));
  const codePath = join(cacheDir, 'workflows', `${bundleHash(entry)}.js`);
  if (existsSync(codePath)) return { codePath };
  // Its own logger would write to the command's output.
  const { code } = await bundleWorkflowCode({ workflowsPath: entry, logger: Runtime.instance().logger });
  try {
    const partial = `${codePath}.${process.pid}`;
    await mkdir(join(cacheDir, 'workflows'), { recursive: true });
    await writeFile(partial, code);
    await rename(partial, codePath);
  } catch {
    // A cache that cannot be written to costs the next start its seconds, nothing else.
  }
  return { code };
}

function bundleHash(entry: string): string {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  for (const name of BUNDLED_PACKAGES)
    hash.update(`${name} ${(require(`${name}/package.json`) as { version: string }).version}\0`);
  for (const [file, source] of [...reachable(entry)].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${file}\0${source}\0`);
  return hash.digest('hex').slice(0, 32);
}

/** The sources that a file's relative imports lead to, itself included, by path. */
function reachable(entry: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    const source = readFileSync(file, 'utf8');
    found.set(file, source);
    for (const [, path] of source.matchAll(/\bfrom\s+'(\.[^']+)'/g)) visit(join(dirname(file), path!));
  };
  visit(entry);
  return found;
}
