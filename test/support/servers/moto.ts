import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../infra/ports.ts';
import { pythonWith } from '../programs/python.ts';

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
  const python = await pythonWith('moto-5.2.5', 'S3 server for odd keys in tests', PACKAGES);
  return python === undefined ? undefined : serve(python);
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
