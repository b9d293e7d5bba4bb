import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../failure.ts';
import { FileStore, fileUri } from './file/file.ts';
import { S3Store, type S3StoreOptions } from './s3/s3.ts';
import type { ObjectStore } from './store.ts';

/** Options of {@link openStore}; those of S3 mean nothing to a folder. */
export type StoreOptions = S3StoreOptions;

type Location = { kind: 's3'; bucket: string; prefix: string } | { kind: 'file'; path: string };

/**
 * The store at a URI: `s3://bucket/prefix`, `file:///folder`, or a path (`/folder`, `./folder`, `folder`), which counts
 * from the current directory. Nothing is asked of the store yet.
 *
 * @throws Failure `Store.InvalidUri`
 */
export function openStore(uri: string, options: StoreOptions = {}): ObjectStore {
  const location = locate(uri);
  return location.kind === 'file'
    ? new FileStore(location.path)
    : new S3Store(location.bucket, location.prefix, options);
}

/** The one way to write a store's URI, without a slash at its end; equal to the `uri` of the opened store. */
export function canonicalUri(uri: string): string {
  const location = locate(uri);
  if (location.kind === 'file') return fileUri(location.path);
  return location.prefix === '' ? `s3://${location.bucket}` : `s3://${location.bucket}/${location.prefix}`;
}

/** The URI of what lies at `keys`, joined by slashes, below the store at `uri`. */
export function joinUri(uri: string, ...keys: string[]): string {
  const location = locate(uri);
  if (location.kind === 'file') return fileUri([location.path, ...keys].join('/'));
  return canonicalUri([canonicalUri(uri), ...keys].join('/'));
}

/** Creates the bucket of an S3 URI unless it is there; a folder needs nothing. */
export async function ensureBucket(uri: string, options: StoreOptions = {}): Promise<void> {
  const location = locate(uri);
  if (location.kind === 's3') await new S3Store(location.bucket, '', options).createBucket();
}

function locate(uri: string): Location {
  const invalid = (why: string, cause?: unknown) =>
    new Failure('Store.InvalidUri', `"${uri}" ${why}`, {
      subject: uri,
      hint: 'Use s3://bucket/prefix, file:///folder or a path.',
      ...(cause === undefined ? {} : { cause }),
    });
  if (uri === '' || uri.includes('\0')) throw invalid('is not the address of a store');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'file', path: resolve(uri) };
  if (scheme === 'file') {
    try {
      return { kind: 'file', path: resolve(fileURLToPath(uri)) };
    } catch (error) {
      throw invalid('is not a file URI that this machine can reach', error);
    }
  }
  if (scheme !== 's3') throw invalid(`has the scheme "${scheme}", which no store serves`);
  const [, bucket, , prefix = ''] = /^s3:\/\/([^/]*)(\/(.*))?$/is.exec(uri) ?? [];
  if (bucket === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket))
    throw invalid('names no valid bucket');
  return { kind: 's3', bucket, prefix: prefix.replace(/\/+$/, '') };
}
