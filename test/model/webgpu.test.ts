import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { softwareWebGpu } from '../support/programs/webgpu.ts';

const env = softwareWebGpu();

// Where everything is installed by .ci/run, a missing driver is a mistake there.
test.skipIf(env === undefined && !process.env['CI'])(
  'the model on WebGPU agrees with the golden files',
  async () => {
    expect(env, 'SwiftShader comes with the package chromium').toBeDefined();
    const check = [resolve('test/golden/main.ts'), resolve('test/golden/tiny'), '--provider', 'webgpu'];
    const { stdout } = await promisify(execFile)(process.execPath, check, { env });
    expect(stdout).toContain('all agree');
  },
  600_000,
);

test.skipIf(env === undefined && !process.env['CI'])(
  'every op of a training step has a WebGPU kernel',
  async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [resolve('test/model/fallback.ts'), 'webgpu'],
      { env },
    );
    expect(stdout.trim().split('\n')).toHaveLength(4);
  },
  120_000,
);
