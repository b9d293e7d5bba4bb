import { pythonEnvironment } from '../../../infra/pythonEnvironment.ts';

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
    return await pythonEnvironment({ name, purpose, packages, expect: 'about 30 s' }, console.warn);
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`${name} is not available, its tests are skipped: ${String(error)}`);
    return undefined;
  }
}
