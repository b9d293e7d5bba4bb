/**
 * One file of the hub, into a folder of blobs named by their hashes.
 *
 * What is on its way is called `HASH.<pid>.<n>.part`, so that no two downloads write the same file; one that was
 * interrupted is taken over, by renaming it, by the next download of the same content. The final name appears only after
 * the hash was checked.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readlink, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../data/failure.ts';
import type { HubFile } from './api.ts';

export interface Resumption {
  /** Asks for the content from a byte on; see `HubApi.openFile`. */
  open(fromByte: number, signal: AbortSignal): Promise<Response>;
  /** Told of how many bytes are here. */
  onBytes(fileBytes: number): void;
  retryDelayMs: number;
}

/** Tries in a row that bring not a single byte. */
const MAX_FRUITLESS_TRIES = 5;
/** A transfer that brings nothing for this long is cut off and tried again. */
const STALL_MS = 60_000;
/** Longer than this, a rate limit is the caller's to wait for. */
const MAX_WAIT_MS = 10_000;

let parts = 0;
/** Parts that this process is writing; those of other processes are in use while their process lives. */
const writing = new Set<string>();

/**
 * Makes sure that `blobs` holds the file and returns its path.
 *
 * @throws Failure `Hub.HashMismatch`, or what `source.open` throws once it has been tried often enough.
 */
export async function fetchFile(blobs: string, file: HubFile, source: Resumption): Promise<string> {
  const blob = join(blobs, file.sha256 ?? file.gitSha1 ?? '');
  if ((await stat(blob).catch(() => undefined))?.size === file.sizeBytes) {
    source.onBytes(file.sizeBytes);
    return blob;
  }
  await mkdir(blobs, { recursive: true });
  const part = `${blob}.${process.pid}.${++parts}.part`;
  writing.add(part);
  try {
    const resumed = await adopt(blob, part);
    await receive(part, file, source);
    if (await hashMatches(part, file)) return await named(part, blob);
    await rm(part, { force: true });
    // What an earlier process left may be damaged; what is fetched now from the start may not.
    if (resumed) {
      await receive(part, file, source);
      if (await hashMatches(part, file)) return await named(part, blob);
      await rm(part, { force: true });
    }
    throw mismatch(file);
  } finally {
    writing.delete(part);
  }
}

async function named(part: string, blob: string): Promise<string> {
  await rename(part, blob);
  return blob;
}

/** Makes a blob appear under its path in a snapshot: a relative link, so that the cache folder can be moved. */
export async function placeFile(blob: string, path: string): Promise<void> {
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.${++parts}`;
  await symlink(target, draft).catch(async (error: unknown) => {
    // File systems and accounts without symbolic links.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await link(blob, draft);
  });
  await rename(draft, path);
}

/** Takes over a part of the same content that nobody is writing any more; whether there was one. */
async function adopt(blob: string, part: string): Promise<boolean> {
  const folder = dirname(blob);
  for (const name of await readdir(folder)) {
    const left = join(folder, name);
    const [pid, , ending] = left.startsWith(`${blob}.`) ? left.slice(blob.length + 1).split('.') : [];
    if (ending !== 'part' || inUse(Number(pid), left)) continue;
    // Another process may be quicker; then there is simply nothing to take over.
    const taken = await rename(left, part).then(
      () => true,
      () => false,
    );
    if (taken) return true;
  }
  return false;
}

function inUse(pid: number, part: string): boolean {
  if (pid === process.pid) return writing.has(part);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Appends what is missing, over as many transfers as it takes. */
async function receive(part: string, file: HubFile, source: Resumption): Promise<void> {
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(part);
    if (before === file.sizeBytes && before > 0) return;
    try {
      // More than the whole file is not a beginning of it.
      await transfer(part, before > file.sizeBytes ? 0 : before, source);
      const after = await sizeOf(part);
      if (after >= file.sizeBytes) return;
      throw new Error(`the transfer of ${file.path} ended after ${after} of ${file.sizeBytes} bytes`);
    } catch (error) {
      fruitless = (await sizeOf(part)) > before ? 0 : fruitless + 1;
      const waitMs =
        (error instanceof Failure ? error.retryAfterMs : undefined) ?? source.retryDelayMs * 2 ** fruitless;
      // A Failure may be final; anything else is a connection that broke.
      const final = error instanceof Failure && !error.retryable;
      if (final || fruitless >= MAX_FRUITLESS_TRIES || waitMs > MAX_WAIT_MS) {
        throw error instanceof Failure ? error : interrupted(file, error);
      }
      await sleep(waitMs);
    }
  }
}

/** One transfer, from `fromByte` on where the server agrees, else from the start. */
async function transfer(part: string, fromByte: number, source: Resumption): Promise<void> {
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(new Error(`nothing came for ${STALL_MS / 1000} s`)), STALL_MS);
  try {
    const response = await source.open(fromByte, stall.signal);
    const start = response.status === 206 ? rangeStart(response) : 0;
    if (start !== 0 && start !== fromByte) throw new Error(`asked for byte ${fromByte}, got byte ${start}`);
    const output = await open(part, start === 0 ? 'w' : 'a');
    try {
      let position = start;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        timer.refresh();
        await output.appendFile(chunk);
        position += chunk.byteLength;
        source.onBytes(position);
      }
      await output.sync();
    } finally {
      await output.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** As in `Content-Range: bytes 100-199/200`. */
function rangeStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function hashMatches(path: string, file: HubFile): Promise<boolean> {
  const hash: Hash = file.sha256 === undefined ? createHash('sha1') : createHash('sha256');
  // Git hashes a blob with its length in front: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  if (file.sha256 === undefined) hash.update(`blob ${file.sizeBytes}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex') === (file.sha256 ?? file.gitSha1);
}

function mismatch(file: HubFile): Failure {
  return new Failure(
    'Hub.HashMismatch',
    `what came for ${file.path} does not have the hash that the hub gives`,
    {
      subject: file.path,
      hint: 'Try again; if it stays so, a proxy changes what passes through it.',
      retryable: true,
    },
  );
}

function interrupted(file: HubFile, cause: unknown): Failure {
  return new Failure(
    'Hub.Unavailable',
    `the transfer of ${file.path} from the hub broke off again and again`,
    {
      subject: file.path,
      hint: 'Start again when the connection is better: what has come is kept.',
      retryable: true,
      cause,
    },
  );
}
