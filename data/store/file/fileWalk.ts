import type { BigIntStats } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { externalSort } from '../../externalSort.ts';
import { compareUtf8 } from '../../utf8Order.ts';
import { classifyFileError } from './classifyFile.ts';
import { isReservedName, segmentOfName } from './fileNames.ts';
import type { ListOptions, ObjectInfo } from '../store.ts';

/** Files whose sizes and times are asked for at once. */
const STAT_BATCH = 64;

/** A path on disk; bytes where it is not valid UTF-8. */
type DiskPath = string | Buffer;

/** A folder's entry on its way through the sort: a plain object of strings, because it may be spilled to disk. */
interface Entry {
  /** Key of a file; of a folder with a slash at its end, which is what puts the keys below it in order. */
  key: string;
  /** The name's bytes in hex, where they are not valid UTF-8. */
  rawName?: string;
}

/** A file that the walk came to; its path leads there, its key names it. */
interface Found {
  key: string;
  path: DiskPath;
}

/** The etag of a file: its size and modification time in nanoseconds. Cheap, and any write by this store changes it. */
export function etagOf(stats: BigIntStats): string {
  return `${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}`;
}

export function infoOf(key: string, stats: BigIntStats): ObjectInfo {
  return {
    key,
    etag: etagOf(stats),
    sizeBytes: Number(stats.size),
    lastModifiedMs: Number(stats.mtimeNs / 1_000_000n),
  };
}

/**
 * The regular files below `root` in UTF-8 byte order of their keys. Memory does not grow with their number: each
 * folder's names go through the external sort. Links to files and folders are followed, except to a folder that the
 * link is in; dangling links, sockets, pipes and devices are not objects. What vanishes during the walk is left out;
 * a folder that cannot be read fails it.
 */
export async function* walkFiles(
  root: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo, void, undefined> {
  let batch: Found[] = [];
  for await (const found of walkFolder(root, '', [], options)) {
    options.signal?.throwIfAborted();
    batch.push(found);
    if (batch.length < STAT_BATCH) continue;
    yield* await statAll(batch);
    batch = [];
  }
  yield* await statAll(batch);
}

async function statAll(batch: Found[]): Promise<ObjectInfo[]> {
  const infos = await Promise.all(
    batch.map(async ({ key, path }) => {
      const stats = await statOrMissing(path);
      return stats?.isFile() === true ? infoOf(key, stats) : undefined;
    }),
  );
  return infos.filter((info) => info !== undefined);
}

async function* walkFolder(
  path: DiskPath,
  keyPrefix: string,
  ancestors: string[],
  options: ListOptions,
): AsyncGenerator<Found, void, undefined> {
  const stats = await statOrMissing(path);
  if (stats === undefined) return;
  const identity = `${stats.dev}:${stats.ino}`;
  if (ancestors.includes(identity)) return;
  const wanted = (entry: Entry) => mayHoldWanted(entry.key, options);
  const sorted = externalSort(entriesOf(path, keyPrefix, wanted), { keyOf: ({ key }) => key });
  for await (const { key, rawName } of sorted) {
    const isFolder = key.endsWith('/');
    const name = key.slice(keyPrefix.length, isFolder ? -1 : undefined);
    const child = childPath(path, name, rawName);
    if (isFolder) yield* walkFolder(child, key, [...ancestors, identity], options);
    else yield { key, path: child };
  }
}

/** The entries of a folder, in the file system's order. */
async function* entriesOf(
  path: DiskPath,
  keyPrefix: string,
  wanted: (entry: Entry) => boolean,
): AsyncGenerator<Entry, void, undefined> {
  try {
    // With names as bytes; the type of opendir knows only strings.
    const folder = (await opendir(path, { encoding: 'buffer' as 'utf8', bufferSize: 256 })) as AsyncIterable<{
      name: string | Buffer;
      isFile(): boolean;
      isDirectory(): boolean;
    }>;
    for await (const dirent of folder) {
      const bytes = Buffer.from(dirent.name as Buffer);
      const name = segmentOfName(bytes);
      if (isReservedName(name)) continue;
      const rawName = name.includes('\uFFFD') ? { rawName: bytes.toString('hex') } : {};
      let isFolder = dirent.isDirectory();
      if (!isFolder && !dirent.isFile()) {
        const target = await statOrMissing(childPath(path, name, rawName.rawName));
        if (target === undefined || !(target.isFile() || target.isDirectory())) continue;
        isFolder = target.isDirectory();
      }
      const entry = { key: keyPrefix + name + (isFolder ? '/' : ''), ...rawName };
      if (wanted(entry)) yield entry;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw classifyFileError(error, path.toString());
  }
}

/** Whether a file, or a folder by anything below it, can be in the listing. */
function mayHoldWanted(key: string, { prefix = '', startAfter }: ListOptions): boolean {
  const isFolder = key.endsWith('/');
  if (!(key.startsWith(prefix) || (isFolder && prefix.startsWith(key)))) return false;
  if (startAfter === undefined || compareUtf8(key, startAfter) > 0) return true;
  return isFolder && startAfter.startsWith(key);
}

function childPath(folder: DiskPath, name: string, rawName: string | undefined): DiskPath {
  if (typeof folder === 'string' && rawName === undefined) return `${folder}/${name}`;
  const nameBytes = rawName === undefined ? Buffer.from(name) : Buffer.from(rawName, 'hex');
  return Buffer.concat([Buffer.from(folder), Buffer.from('/'), nameBytes]);
}

async function statOrMissing(path: DiskPath): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw classifyFileError(error, path.toString());
  }
}
