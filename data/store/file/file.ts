import { constants, type BigIntStats } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rmdir, stat, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '../../failure.ts';
import { withFileLock } from '../../fileLock.ts';
import { classifyFileError } from './classifyFile.ts';
import { checkFileKey, lockName, temporaryName, unescapedPath } from './fileNames.ts';
import { etagOf, infoOf, walkFiles } from './fileWalk.ts';
import type { GetOptions, ListOptions, ObjectInfo, ObjectStore, PutOptions } from '../store.ts';

/**
 * A folder as an object store.
 *
 * - Etags are size and modification time, so they cost nothing and a copied folder that keeps its times keeps them.
 * - Objects appear whole: written to a temporary name in the same folder, flushed to disk, then linked
 *   (If-None-Match) or renamed. If-Match holds a lock file; it is exact among conditional puts.
 * - A key whose name is not valid UTF-8 on disk: see {@link segmentOfName}.
 * - Folders left empty by {@link delete} are removed, as a bucket has none.
 */
export class FileStore implements ObjectStore {
  readonly uri: string;
  readonly #root: string;

  /** @param root absolute path of the folder; it need not exist before the first put */
  constructor(root: string) {
    this.#root = root;
    this.uri = fileUri(root);
  }

  async *list(options: ListOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    let stats: BigIntStats;
    try {
      stats = await stat(this.#root, { bigint: true });
    } catch (error) {
      const failure = classifyFileError(error, this.uri);
      if (failure.code !== 'Store.NotFound') throw failure;
      const hint = 'Check the path.';
      throw new Failure('Store.NoBucket', `${this.uri}: no such folder`, {
        subject: this.uri,
        hint,
        cause: error,
      });
    }
    if (!stats.isDirectory()) {
      const hint = 'Name the folder that the file is in.';
      throw new Failure('Store.InvalidUri', `${this.uri}: it is a file, not a folder`, {
        subject: this.uri,
        hint,
      });
    }
    yield* walkFiles(this.#root, options);
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return await this.#reading(key, async (path) => {
      const stats = await stat(path, { bigint: true });
      return stats.isFile() ? infoOf(key, stats) : undefined;
    }).catch((error: unknown) => {
      if (error instanceof Failure && error.code === 'Store.NotFound') return undefined;
      throw error;
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<{ body: Uint8Array; info: ObjectInfo }> {
    const { ifMatch, maxBytes = Infinity, range, signal } = options;
    signal?.throwIfAborted();
    return await this.#reading(key, async (path) => {
      // Without O_NONBLOCK, opening a named pipe would wait for a writer.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) throw this.#failure('Store.NotFound', key, 'it is not a file');
        const info = infoOf(key, stats);
        if (ifMatch !== undefined && info.etag !== ifMatch) throw this.#changed(key);
        const { start, end } = range ?? { start: 0, end: info.sizeBytes };
        if (end > info.sizeBytes) throw this.#changed(key);
        const sizeBytes = end - start;
        if (sizeBytes > maxBytes) {
          throw this.#failure('Store.TooLarge', key, `${sizeBytes} bytes are over the limit of ${maxBytes}`);
        }
        const body = Buffer.allocUnsafeSlow(sizeBytes);
        for (let done = 0; done < body.length;) {
          signal?.throwIfAborted();
          const { bytesRead } = await file.read(
            body,
            done,
            Math.min(body.length - done, 1 << 24),
            start + done,
          );
          if (bytesRead === 0) throw this.#changed(key);
          done += bytesRead;
        }
        if (etagOf(await file.stat({ bigint: true })) !== info.etag) throw this.#changed(key);
        return { body, info };
      } finally {
        await file.close();
      }
    });
  }

  async put(key: string, body: Uint8Array | string, options: PutOptions = {}): Promise<{ etag: string }> {
    return await this.#writing(key, options, async (temporary) => {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(body);
        await file.sync();
      } finally {
        await file.close();
      }
    });
  }

  async copy(fromKey: string, toKey: string): Promise<void> {
    await this.#reading(fromKey, async (source) => {
      if (!(await stat(source)).isFile()) throw this.#failure('Store.NotFound', fromKey, 'it is not a file');
      await this.#writing(toKey, {}, async (temporary) => {
        await copyFile(source, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        const file = await open(temporary, 'r+');
        try {
          const now = new Date();
          await file.utimes(now, now);
          await file.sync();
        } finally {
          await file.close();
        }
      });
    });
  }

  async delete(keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.#reading(key, async (path) => {
        await unlink(path).catch((error: unknown) => {
          // Some systems say EPERM of a folder, which no key names.
          if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
        });
      }).catch((error: unknown) => {
        if (!(error instanceof Failure && error.code === 'Store.NotFound')) throw error;
      });
      await this.#removeEmptyFolders(dirname(join(this.#root, key)));
    }
  }

  describeKey(key: string): string {
    return `${this.uri}/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** Runs `read` with the key's path, and again with its bytes where the key stands for a name that is not UTF-8. */
  async #reading<T>(key: string, read: (path: string | Buffer) => Promise<T>): Promise<T> {
    checkFileKey(key, this.uri);
    const path = join(this.#root, key);
    try {
      return await read(path);
    } catch (error) {
      const bytes = unescapedPath(key);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || bytes === undefined)
        throw this.#classify(error, key);
      try {
        return await read(Buffer.concat([Buffer.from(`${this.#root}/`), bytes]));
      } catch (second) {
        throw this.#classify(second, key);
      }
    }
  }

  /** Has `fill` write a temporary file beside the key's, then moves it there under the conditions of `options`. */
  async #writing(
    key: string,
    options: PutOptions,
    fill: (temporary: string) => Promise<void>,
  ): Promise<{ etag: string }> {
    checkFileKey(key, this.uri);
    const path = join(this.#root, key);
    const folder = dirname(path);
    const temporary = join(folder, temporaryName());
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          await mkdir(folder, { recursive: true });
          await fill(temporary);
          break;
        } catch (error) {
          // A delete may remove the folder, empty as yet, before the file is in it.
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 5) throw error;
        }
      }
      const etag = await this.#publish(key, path, temporary, options);
      await syncFolder(folder);
      return { etag };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOTDIR' || code === 'EEXIST') {
        throw this.#failure('Store.InvalidKey', key, 'a file stands where the key has a folder', error);
      }
      if (code === 'EISDIR') throw this.#failure('Store.InvalidKey', key, 'a folder has this name', error);
      throw this.#classify(error, key);
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
  }

  async #publish(key: string, path: string, temporary: string, options: PutOptions): Promise<string> {
    if (options.ifNoneMatch !== undefined) {
      try {
        await link(temporary, path);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? '';
        if (code === 'EEXIST')
          throw this.#failure('Store.PreconditionFailed', key, 'it exists already', error);
        if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw error;
        throw this.#failure('Store.ConditionalPutIgnored', key, 'this file system has no hard links', error);
      }
      return etagOf(await stat(path, { bigint: true }));
    }
    if (options.ifMatch === undefined) return await replace(path, temporary);
    const name = path.slice(dirname(path).length + 1);
    return await withFileLock(join(dirname(path), lockName(name)), async (lock) => {
      const current = await statIfExists(path);
      if (current === undefined)
        throw this.#failure('Store.PreconditionFailed', key, 'there is no such object');
      if (etagOf(current) !== options.ifMatch || !(await lock.stillHeld())) {
        throw this.#failure('Store.PreconditionFailed', key, 'it has changed meanwhile');
      }
      return await replace(path, temporary);
    });
  }

  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let path = folder; path.startsWith(`${this.#root}/`); path = dirname(path)) {
      try {
        await rmdir(path);
      } catch {
        return;
      }
    }
  }

  #classify(error: unknown, key: string): unknown {
    const isSystemError =
      typeof (error as NodeJS.ErrnoException).code === 'string' || error instanceof Failure;
    const isAbort = (error as Error).name === 'AbortError' || (error as Error).name === 'TimeoutError';
    return isSystemError && !isAbort ? classifyFileError(error, this.describeKey(key)) : error;
  }

  #changed(key: string): Failure {
    return this.#failure('Store.Changed', key, 'it is not the file that was listed any more');
  }

  #failure(code: string, key: string, what: string, cause?: unknown): Failure {
    const subject = this.describeKey(key);
    return new Failure(code, `${subject}: ${what}`, { subject, ...(cause === undefined ? {} : { cause }) });
  }
}

/** `file:///abs/folder`, without a trailing slash (hence `file://` for the root of all). */
export function fileUri(path: string): string {
  return `file://${pathToFileURL(path).href.slice('file://'.length).replace(/\/+$/, '')}`;
}

/**
 * Renames `temporary` over `path`, and sees to it that the modification time goes up: the clock of a file system ticks
 * every few milliseconds only, and two writes of one size in one tick must not share an etag.
 */
async function replace(path: string, temporary: string): Promise<string> {
  const before = await statIfExists(path);
  let after = await stat(temporary, { bigint: true });
  if (before !== undefined && after.mtimeNs <= before.mtimeNs) {
    const nextMs = before.mtimeNs / 1_000_000n + 1n;
    await utimes(temporary, Number(nextMs) / 1000, Number(nextMs) / 1000);
    after = await stat(temporary, { bigint: true });
  }
  await rename(temporary, path);
  return etagOf(after);
}

async function statIfExists(path: string): Promise<BigIntStats | undefined> {
  return await stat(path, { bigint: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}

/** Makes a new name survive a power cut; not every file system lets a folder be flushed. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
