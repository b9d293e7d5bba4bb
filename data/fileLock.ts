import { randomUUID } from 'node:crypto';
import { link, open, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a lock file may stay untouched before it counts as abandoned, in milliseconds. */
export const LOCK_STALE_MS = 15_000;

export interface FileLockOptions {
  /** Abandonment limit in milliseconds; the holder touches the file three times as often. Default {@link LOCK_STALE_MS}. */
  staleMs?: number;
  /** How long to sleep between two looks at a held lock, in milliseconds. Default 20. */
  pollMs?: number;
  /** Called once when the lock is held by someone else. */
  onWait?: () => void;
  signal?: AbortSignal;
}

/** A lock that is held; see {@link withFileLock}. */
export interface HeldLock {
  /** Whether the file still is ours: false after a pause of this process so long that another one took over. */
  stillHeld(): Promise<boolean>;
}

/**
 * Runs `work` while holding the lock file `path`, so that processes take turns; waits as long as it takes.
 *
 * A lock whose holder is gone is taken over: at once where the holder ran on this host and its process is no more,
 * otherwise when nobody has touched the file for `staleMs` as seen by the waiting process (clocks are never
 * compared, so file systems shared over a network are fine).
 */
export async function withFileLock<T>(
  path: string,
  work: (lock: HeldLock) => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  const staleMs = options.staleMs ?? LOCK_STALE_MS;
  const token = JSON.stringify({ host: hostname(), pid: process.pid, id: randomUUID() });
  await acquire(path, token, staleMs, options);
  const touch = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, staleMs / 3);
  touch.unref();
  const stillHeld = async () => (await readToken(path)) === token;
  try {
    return await work({ stillHeld });
  } finally {
    clearInterval(touch);
    if (await stillHeld()) await unlink(path).catch(ignoreMissing);
  }
}

async function acquire(
  path: string,
  token: string,
  staleMs: number,
  options: FileLockOptions,
): Promise<void> {
  let watched = '';
  let watchedSince = 0;
  let waited = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await createWith(path, token)) return;
    if (!waited) options.onWait?.();
    waited = true;
    const holder = await readToken(path);
    const touched = await stat(path, { bigint: true }).catch(ignoreMissing);
    if (holder === undefined || touched === undefined) continue;
    const seen = `${holder} ${touched.mtimeNs}`;
    if (seen !== watched) {
      watched = seen;
      watchedSince = performance.now();
    }
    if (holderIsGone(holder) || performance.now() - watchedSince > staleMs)
      await evict(path, holder, staleMs);
    else
      await sleep(
        options.pollMs ?? 20,
        undefined,
        options.signal === undefined ? {} : { signal: options.signal },
      );
  }
}

/**
 * Creates `path` with `content`, unless it exists. Written aside and linked, so that nobody ever reads half of it.
 * Returns whether it was created.
 */
async function createWith(path: string, content: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, content);
  try {
    await link(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(aside).catch(ignoreMissing);
  }
}

/**
 * Removes an abandoned lock. Of several waiters that saw the same holder only one may remove it: a slow one would
 * otherwise remove the lock of whoever came next. The marker names the holder, hence is good for one removal.
 */
async function evict(path: string, holder: string, staleMs: number): Promise<void> {
  const marker = `${path}.${parseHolder(holder).id}.evict`;
  try {
    await (await open(marker, 'wx')).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await sleep(20);
    const made = await stat(marker).catch(ignoreMissing);
    // The waiter that made the marker died before it was done.
    if (made !== undefined && Date.now() - made.mtimeMs > staleMs) await unlink(marker).catch(ignoreMissing);
    return;
  }
  try {
    if ((await readToken(path)) === holder) await unlink(path).catch(ignoreMissing);
  } finally {
    await unlink(marker).catch(ignoreMissing);
  }
}

function holderIsGone(holder: string): boolean {
  const { host, pid } = parseHolder(holder);
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** What a lock file says; one that a power cut left empty names nobody, so that time alone frees it. */
function parseHolder(holder: string): { host: string; pid: number; id: string } {
  try {
    return JSON.parse(holder) as { host: string; pid: number; id: string };
  } catch {
    return { host: '', pid: 0, id: 'unreadable' };
  }
}

async function readToken(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
