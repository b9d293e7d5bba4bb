import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheDir, findOrInstall, findProgram } from '../../infra/programs.ts';
import { startLocalS3 } from '../../infra/s3.ts';
import { failureOf } from '../support/servers/s3.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-programs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const source = {
  program: 'made-up',
  goPackage: 'example.invalid/made-up@v1.0.0',
  purpose: 'a test',
  expect: 'no time',
};

/** Puts a shell script in the place of Go; returns the environment that finds it. */
async function goThat(script: string): Promise<NodeJS.ProcessEnv> {
  const bin = join(folder, 'go-bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'go'), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, 'go'), 0o755);
  return { PATH: `${bin}:/usr/bin:/bin`, C2SRT_CACHE: join(folder, 'cache') };
}

test('the cache folder is configurable', () => {
  expect(cacheDir({})).toBe(join(homedir(), '.cache', 'c2srt'));
  expect(cacheDir({ C2SRT_CACHE: '/somewhere' })).toBe('/somewhere');
  expect(cacheDir({ C2SRT_CACHE: 'relative' })).toBe(join(process.cwd(), 'relative'));
});

test('four that need a program at once install it once, and say so', async () => {
  const calls = join(folder, 'calls');
  const env = await goThat(`echo "$@" >> ${calls}; echo 'go: downloading example.invalid v1.0.0' >&2
sleep 0.3; printf '#!/bin/sh\\n' > "$GOBIN/made-up"; chmod +x "$GOBIN/made-up"`);
  const lines: string[] = [];
  const paths = await Promise.all(
    [1, 2, 3, 4].map(() => findOrInstall(source, (line) => lines.push(line), { env })),
  );
  expect(new Set(paths)).toEqual(new Set([join(folder, 'cache', 'bin', 'made-up')]));
  expect((await readFile(calls, 'utf8')).trim()).toBe('install example.invalid/made-up@v1.0.0');
  expect(lines.filter((line) => line.startsWith('Installing made-up (a test)'))).toHaveLength(1);
  expect(lines).toContain('go: downloading example.invalid v1.0.0');
  expect(await readdir(join(folder, 'cache', 'bin'))).toEqual(['made-up']);
  expect(await findProgram('made-up', { env })).toBe(paths[0]);
});

test.each([
  ['dial tcp: lookup proxy.invalid: no such host', 'Setup.Offline'],
  ['module example.invalid: syntax error', 'Setup.InstallFailed'],
])('when go says "%s" it is %s, and nothing is left', async (line, code) => {
  const env = await goThat(`echo '${line}' >&2; exit 1`);
  const failure = await failureOf(findOrInstall(source, () => undefined, { env }));
  expect(failure.code).toBe(code);
  expect(failure.message).toContain('made-up');
  expect(await readdir(join(folder, 'cache', 'bin'))).toEqual([]);
});

test('without Go it says what to install', async () => {
  const env = { PATH: folder, C2SRT_CACHE: join(folder, 'cache') };
  expect(await failureOf(findOrInstall(source, () => undefined, { env }))).toMatchObject({
    code: 'Setup.GoMissing',
  });
});

test('an S3 server that cannot be had is Setup.S3Unavailable', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    const start = startLocalS3({ dir: join(folder, 's3'), cacheDir: join(folder, 'empty') });
    const failure = await failureOf(start);
    expect(failure).toMatchObject({ code: 'Setup.S3Unavailable' });
    expect(failure.message).toMatch(/versitygw/);
  } finally {
    process.env['PATH'] = path;
  }
});
