import { execFile, spawn } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withFileLock } from '../../data/fileLock.ts';
import { freePort } from '../../infra/ports.ts';
import { cacheDir } from '../../infra/programs.ts';

const run = promisify(execFile);
const PACKAGES = ['moto[s3]==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.5'];

export interface Moto {
  /** As `LocalS3.env`. */
  env: Record<string, string>;
  stop: () => Promise<void>;
}

/**
 * Starts moto's S3 server, which keeps objects in memory and so takes keys that no file system does. Installed into the
 * cache folder on first use. Without Python: undefined, so that tests are reported as skipped; on CI an error.
 */
export async function startMoto(): Promise<Moto | undefined> {
  try {
    return await serve(await install());
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`moto is not available, its tests are skipped: ${String(error)}`);
    return undefined;
  }
}

/** Path of a Python that has moto. */
async function install(): Promise<string> {
  const folder = join(cacheDir(), 'moto-5.2.5');
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  await mkdir(cacheDir(), { recursive: true });
  return await withFileLock(`${folder}.lock`, async () => {
    try {
      await access(complete);
    } catch {
      console.warn(`Installing moto (S3 server for odd keys in tests), once, into ${folder} (about 30 s).`);
      await rm(folder, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', folder]);
      await run(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES]);
      await mkdir(complete);
    }
    return python;
  });
}

async function serve(python: string): Promise<Moto> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
  });
  const gone = new Promise<void>((settle) => child.once('exit', () => settle()));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    child.kill('SIGTERM');
    await gone;
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await fetch(`${endpoint}/moto-api/`).catch(() => undefined);
    if (answer?.ok === true) {
      const env = {
        AWS_ENDPOINT_URL_S3: endpoint,
        AWS_ACCESS_KEY_ID: 'moto',
        AWS_SECRET_ACCESS_KEY: 'moto',
        AWS_REGION: 'us-east-1',
      };
      return { env, stop };
    }
    await sleep(100);
  }
  await stop();
  throw new Error('moto did not answer');
}
