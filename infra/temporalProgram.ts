import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { promisify } from 'node:util';
import { Failure, messageOf } from '../data/failure.ts';
import { cacheDir, findOrInstall, findProgram, type FindOptions, type OnProgress } from './programs.ts';

/** v1.5.1 is the last version that `go install` builds: later ones have replace directives. */
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
/** Where the SDKs ask for the archive of the server that suits them. */
const DOWNLOAD_URL = 'https://temporal.download';
/** The question is answered in well under a second where the network allows it at all. */
const ASK_TIMEOUT_MS = 4_000;

export interface FindTemporalOptions extends FindOptions {
  /** Where the SDK's download is asked for. Default {@link DOWNLOAD_URL}. */
  downloadUrl?: string;
  /** The folder that the SDK keeps its own downloads in. Default: the system's temporary folder. */
  sdkDir?: string;
}

/**
 * The path of the `temporal` program: on PATH, else in the cache folder, else what the SDK has downloaded before, else
 * the SDK's download (seconds), else built with Go (about 5 minutes on 2 cores). What is fetched stays in the cache.
 *
 * @throws Failure `Setup.TemporalUnavailable` where none of these is possible.
 */
export async function findTemporal(
  onProgress: OnProgress,
  options: FindTemporalOptions = {},
): Promise<string> {
  const found = (await findProgram('temporal', options)) ?? (await sdkDownload(options));
  if (found !== undefined) return found;
  let notDownloaded: unknown;
  try {
    return await download(onProgress, options);
  } catch (error) {
    notDownloaded = error;
  }
  try {
    const source = {
      program: 'temporal',
      goPackage: GO_PACKAGE,
      purpose: 'the Temporal server that runs on this machine',
      expect: 'about 5 minutes on 2 cores',
    };
    return await findOrInstall(source, onProgress, options);
  } catch (error) {
    const bin = join(options.cacheDir ?? cacheDir(options.env), 'bin');
    throw new Failure(
      'Setup.TemporalUnavailable',
      `There is no Temporal server program on the PATH or in ${bin}, and none could be downloaded ` +
        `(${messageOf(notDownloaded)}) or built (${messageOf(error)})`,
      {
        subject: 'temporal',
        hint: `Put the program \`temporal\` on the PATH or into ${bin}, or set TEMPORAL_ADDRESS to a Temporal server.`,
        cause: error,
      },
    );
  }
}

/** What `TestWorkflowEnvironment.createLocal` of the same SDK left, provided that nobody else could have written it. */
async function sdkDownload(options: FindTemporalOptions): Promise<string | undefined> {
  const path = join(options.sdkDir ?? tmpdir(), `temporal-sdk-typescript-${sdkVersion()}`);
  const file = await stat(path).catch(() => undefined);
  // The folder is everybody's, so the name alone says nothing about who put the program there.
  const ours = file?.isFile() === true && file.uid === process.getuid?.() && (file.mode & 0o022) === 0;
  return ours && (file.mode & 0o100) !== 0 ? path : undefined;
}

/** Fetches the server that suits the SDK into the cache folder. */
async function download(onProgress: OnProgress, options: FindTemporalOptions): Promise<string> {
  const archive = await askForArchive(options.downloadUrl ?? DOWNLOAD_URL);
  const bin = join(options.cacheDir ?? cacheDir(options.env), 'bin');
  await mkdir(bin, { recursive: true });
  const folder = await mkdtemp(join(bin, '.temporal-'));
  try {
    onProgress(
      `Downloading temporal (the Temporal server that runs on this machine), once, into ${bin}: ${archive.url}.`,
    );
    const packed = join(folder, 'archive.tar.gz');
    await fetchTo(packed, archive.url, onProgress);
    await promisify(execFile)('tar', ['-xzf', packed, '-C', folder, archive.member]);
    const program = join(folder, archive.member);
    await chmod(program, 0o755);
    // A broken program is found out here, not when a run needs it.
    await promisify(execFile)(program, ['--version']);
    const path = join(bin, 'temporal');
    await rename(program, path);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function askForArchive(downloadUrl: string): Promise<{ url: string; member: string }> {
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (arch === undefined || process.platform === 'win32') {
    throw new Error(`no download for ${process.platform} ${process.arch}`);
  }
  const query = new URLSearchParams({
    arch,
    platform: process.platform,
    format: 'tar.gz',
    'sdk-name': 'sdk-typescript',
    'sdk-version': sdkVersion(),
  });
  const url = `${downloadUrl}/cli/default?${query.toString()}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }).catch(
    (cause: unknown) => {
      throw new Error(`${new URL(downloadUrl).host} cannot be reached`, { cause });
    },
  );
  if (!response.ok) throw new Error(`${new URL(downloadUrl).host} answered ${response.status}`);
  const answer = (await response.json()) as { archiveUrl?: string; fileToExtract?: string };
  const { archiveUrl, fileToExtract } = answer;
  if (archiveUrl === undefined || fileToExtract === undefined || !/^[\w.-]+$/.test(fileToExtract)) {
    throw new Error(`${new URL(downloadUrl).host} gave an answer that names no archive`);
  }
  return { url: archiveUrl, member: fileToExtract };
}

async function fetchTo(path: string, url: string, onProgress: OnProgress): Promise<void> {
  const response = await fetch(url);
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const sizeBytes = Number(response.headers.get('content-length') ?? 0);
  let doneBytes = 0;
  let toldBytes = 0;
  const counted = Readable.fromWeb(response.body as ReadableStream<Uint8Array>).map((chunk: Uint8Array) => {
    doneBytes += chunk.byteLength;
    if (doneBytes - toldBytes > 10e6) {
      toldBytes = doneBytes;
      onProgress(
        `Downloading temporal: ${(doneBytes / 1e6).toFixed(0)} of ${(sizeBytes / 1e6).toFixed(0)} MB.`,
      );
    }
    return chunk;
  });
  await pipeline(counted, createWriteStream(path));
}

function sdkVersion(): string {
  const manifest = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  return manifest.version;
}
