import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileUri } from '../store/file/file.ts';

/** An object by the store that it lies in (a bucket, or the file's folder), for `openStore`, and its key there. */
export interface ObjectAddress {
  store: string;
  key: string;
}

/**
 * The canonical URI of an object: `file:///folder/a%20b.jpg`, or `s3://bucket/a b.jpg` (keys stand in S3 URIs as they
 * are, never escaped).
 *
 * - `s3://bucket/key` and `file:///...` stay what they are;
 * - an absolute path names a file, every character meaning itself;
 * - anything else is a relative path and counts from `folder`, where `.` and `..` have their usual meaning.
 *
 * @param folder canonical URI of a folder or of a bucket's prefix
 * @throws TypeError saying what is wrong with the URI, as the end of a sentence about it
 */
export function resolveObjectUri(uri: string, folder: string): string {
  if (uri === '') throw new TypeError('is empty');
  if (!uri.isWellFormed() || uri.includes('\0')) throw new TypeError('holds characters that no name has');
  if (uri.endsWith('/')) throw new TypeError('names a folder, not a file');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 's3') {
    const [, bucket, key] = /^s3:\/\/([^/]*)\/(.+)$/is.exec(uri) ?? [];
    if (bucket === undefined || key === undefined) throw new TypeError('names no object of a bucket');
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket)) throw new TypeError('names no valid bucket');
    return `s3://${bucket}/${key}`;
  }
  if (scheme === 'file') return fileUri(pathOfFileUri(uri));
  if (scheme !== undefined) throw new TypeError(`has the scheme "${scheme}", which no store serves`);
  if (uri.startsWith('/')) return fileUri(resolve(uri));
  if (!folder.startsWith('s3://')) return fileUri(join(fileURLToPath(folder), uri));
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(folder) ?? [];
  const parts = prefix === '' ? [] : prefix.split('/');
  for (const part of uri.split('/')) {
    if (part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw new TypeError(`leads out of the bucket ${bucket}`);
  }
  if (parts.length === 0) throw new TypeError('names a folder, not a file');
  return `s3://${bucket}/${parts.join('/')}`;
}

/** Where the object of a canonical URI lies: `openStore(store).get(key)` reads it. */
export function splitObjectUri(uri: string): ObjectAddress {
  const [, bucket, key] = /^s3:\/\/([^/]*)\/(.+)$/s.exec(uri) ?? [];
  if (bucket !== undefined && key !== undefined) return { store: `s3://${bucket}`, key };
  const path = fileURLToPath(uri);
  return { store: fileUri(dirname(path)), key: basename(path) };
}

function pathOfFileUri(uri: string): string {
  // URLs drop what follows the first two and change the others without a word.
  const special = /[?#\\\t\n\r]/.exec(uri)?.[0];
  if (special !== undefined)
    throw new TypeError(
      `holds ${JSON.stringify(special)}, which a file URI writes as ${encodeURIComponent(special)}`,
    );
  try {
    return resolve(fileURLToPath(uri));
  } catch {
    throw new TypeError('is not a file URI that this machine can reach');
  }
}
