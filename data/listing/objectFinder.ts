import { fileURLToPath } from 'node:url';
import { resolveObjectUri } from '../dataset/objectUri.ts';
import { isFailure } from '../failure.ts';
import type { Position } from '../run/plan/entryOrder.ts';
import { checkFileKey } from '../store/file/fileNames.ts';

/** An object as a list names it: by the key that a row would have, or by its whole URI. */
export type ObjectName = { key: string } | { uri: string };

/** A source as keys are looked up in it. */
interface Place {
  source: number;
  uri: string;
  /** What the keys of rows count from: `s3://bucket`, or the folder. */
  base: string;
  isFolder: boolean;
}

const MAX_KEY_BYTES = 1024;

/**
 * Finds objects in sources (canonical URIs, none within another). A key means what `key` means in rows: of S3 the whole
 * key in its bucket, of a folder the path below it.
 *
 * What it returns throws TypeError, saying what is wrong with the name as the end of a sentence about it.
 */
export function objectFinder(sources: readonly string[]): (name: ObjectName) => Position {
  const places = sources.map((uri, source): Place => {
    const bucket = /^s3:\/\/[^/]+/.exec(uri)?.[0];
    return { source, uri, base: bucket ?? uri, isFolder: bucket === undefined };
  });
  const bases = new Set(places.map(({ base }) => base));
  const [first] = places;

  const inBucket = (uri: string): Position => {
    if (Buffer.byteLength(uri.slice(uri.indexOf('/', 5) + 1)) > MAX_KEY_BYTES)
      throw new TypeError('is longer than 1,024 bytes, which no key is');
    const place = places.find((one) => !one.isFolder && uri.startsWith(`${one.uri}/`));
    if (!place) throw new TypeError(notBelow(sources));
    return { source: place.source, key: uri.slice(place.uri.length + 1) };
  };
  const inFolder = (uri: string): Position => {
    const path = fileURLToPath(uri);
    for (const place of places) {
      if (!place.isFolder) continue;
      const folder = fileURLToPath(place.uri).replace(/\/$/, '');
      if (path.startsWith(`${folder}/`)) return { source: place.source, key: path.slice(folder.length + 1) };
    }
    throw new TypeError(notBelow(sources));
  };

  return (name) => {
    if ('uri' in name) {
      const uri = resolveObjectUri(name.uri, first!.uri);
      return uri.startsWith('s3://') ? inBucket(uri) : inFolder(uri);
    }
    const { key } = name;
    if (key === '') throw new TypeError('is empty');
    if (!key.isWellFormed()) throw new TypeError('is not valid Unicode');
    if (key.includes('\0')) throw new TypeError('holds a NUL character');
    if (bases.size > 1) throw new TypeError(`may be in any of ${[...bases].join(', ')}: write the whole URI`);
    if (!first!.isFolder) return inBucket(`${first!.base}/${key}`);
    try {
      checkFileKey(key, first!.uri);
    } catch (error) {
      if (!isFailure(error)) throw error;
      throw new TypeError(`cannot be a file's: ${error.message}`, { cause: error });
    }
    return { source: 0, key };
  };
}

const notBelow = (sources: readonly string[]): string =>
  `is not below ${sources.length === 1 ? '' : 'any of '}${sources.slice(0, 3).join(', ')}${sources.length > 3 ? ', ...' : ''}`;
