import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime, type WorkflowBundleOption } from '@temporalio/worker';

/** What is in a bundle besides our workflows. */
const BUNDLED_PACKAGES = ['@temporalio/worker', '@temporalio/workflow', '@temporalio/common'];

/**
 * The workflows' code as workers run it. Bundling takes seconds of a short run, so a bundle is kept in `cacheDir` under
 * the hash of all that it is made of: the files of `workflows/`, which import nothing of ours outside of it, and the
 * SDK's version.
 */
export async function workflowBundle(cacheDir: string): Promise<WorkflowBundleOption> {
  const folder = fileURLToPath(new URL('../workflows/', import.meta.url));
  const entry = join(folder, import.meta.url.endsWith('.ts') ? 'index.ts' : 'index.js');
  const codePath = join(cacheDir, 'workflows', `${bundleHash(folder)}.js`);
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

function bundleHash(folder: string): string {
  const hash = createHash('sha256').update(folder);
  const require = createRequire(import.meta.url);
  for (const name of BUNDLED_PACKAGES)
    hash.update(`\0${name} ${(require(`${name}/package.json`) as { version: string }).version}`);
  for (const name of readdirSync(folder).sort())
    if (/\.[jt]s$/.test(name)) hash.update(`\0${name}\0`).update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 32);
}
