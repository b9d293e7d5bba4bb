import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findTemporal, type FindTemporalOptions } from '../../infra/temporalProgram.ts';

const SCRIPT = '#!/bin/sh\necho a server\n';

let root: string;
let server: Server | undefined;
let options: FindTemporalOptions;
let told: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'c2srt-program-'));
  told = [];
  // An empty PATH: neither a server nor Go; and a port where nobody listens.
  options = {
    env: { PATH: join(root, 'path') },
    cacheDir: join(root, 'cache'),
    sdkDir: join(root, 'sdk'),
    downloadUrl: 'http://127.0.0.1:9',
  };
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(root, { recursive: true });
});

test('the program on the PATH comes first, then the cached one, then what the SDK downloaded', async () => {
  const manifest = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  const sdk = await program(join(root, 'sdk', `temporal-sdk-typescript-${manifest.version}`));
  expect(await find()).toBe(sdk);
  const cached = await program(join(root, 'cache', 'bin', 'temporal'));
  expect(await find()).toBe(cached);
  const onPath = await program(join(root, 'path', 'temporal'));
  expect(await find()).toBe(onPath);
  expect(told).toEqual([]);
});

test('what anybody could have put where the SDK downloads to is not run', async () => {
  const manifest = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  const path = await program(join(root, 'sdk', `temporal-sdk-typescript-${manifest.version}`));
  await chmod(path, 0o777);
  await expect(find()).rejects.toMatchObject({ code: 'Setup.TemporalUnavailable' });
});

test('the download ends in the cache, and says what is fetched and why', async () => {
  await serveArchive(SCRIPT);
  const path = await find();
  expect(path).toBe(join(root, 'cache', 'bin', 'temporal'));
  expect(await readFile(path, 'utf8')).toBe(SCRIPT);
  expect(await readdir(dirname(path))).toEqual(['temporal']);
  expect(told.join('\n')).toMatch(/Downloading temporal \(the Temporal server .*temporal\.tar\.gz/);
});

test('a download that does not run leaves nothing', async () => {
  await serveArchive('#!/bin/sh\nexit 1\n');
  await expect(find()).rejects.toMatchObject({ code: 'Setup.TemporalUnavailable' });
  expect(await readdir(join(root, 'cache', 'bin'))).toEqual([]);
});

test('no way at all is one sentence and what to do', async () => {
  await expect(find()).rejects.toMatchObject({
    code: 'Setup.TemporalUnavailable',
    message: expect.stringMatching(/cannot be reached.*Go/s) as string,
    hint: expect.stringMatching(/PATH.*TEMPORAL_ADDRESS/) as string,
  });
});

function find(): Promise<string> {
  return findTemporal((line) => told.push(line), options);
}

async function program(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, SCRIPT, { mode: 0o755 });
  return path;
}

/** Answers as the SDK's download service does. */
async function serveArchive(script: string): Promise<void> {
  const packed = join(root, 'packed');
  await mkdir(packed);
  await writeFile(join(packed, 'temporal'), script);
  await writeFile(join(packed, 'LICENSE'), 'free');
  const archive = join(root, 'temporal.tar.gz');
  await promisify(execFile)('tar', ['-czf', archive, '-C', packed, 'LICENSE', 'temporal']);
  const content = await readFile(archive);
  server = createServer((request, response) => {
    const url = new URL(request.url!, options.downloadUrl);
    const asked = url.searchParams.get('sdk-name') === 'sdk-typescript';
    if (url.pathname === '/cli/default' && asked) {
      const answer = { archiveUrl: `${options.downloadUrl!}/temporal.tar.gz`, fileToExtract: 'temporal' };
      response.end(JSON.stringify(answer));
    } else if (url.pathname === '/temporal.tar.gz') {
      response.end(content);
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  options.downloadUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
