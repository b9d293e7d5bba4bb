import { createHash, randomBytes } from 'node:crypto';
import { sep } from 'node:path';
import { Failure } from '../../failure.ts';

/**
 * File names as key segments. A name whose bytes are not valid UTF-8 (possible on Linux) has no string of its own:
 * each byte that is out of place is written as U+FFFD and two hex digits, so `caf<E9>.jpg` has the key
 * `caf\uFFFDE9.jpg`. Every file on disk thus has a key of its own that can be read back.
 */
export function segmentOfName(name: Buffer): string {
  const text = name.toString('utf8');
  if (!text.includes('\uFFFD') || Buffer.from(text).equals(name)) return text;
  let segment = '';
  for (let i = 0; i < name.length;) {
    const sizeBytes = [1, 2, 3, 4].find((n) => isOneCharacter(name.subarray(i, i + n)));
    if (sizeBytes === undefined) {
      segment += `\uFFFD${name[i]!.toString(16).toUpperCase().padStart(2, '0')}`;
      i += 1;
    } else {
      segment += name.toString('utf8', i, i + sizeBytes);
      i += sizeBytes;
    }
  }
  return segment;
}

function isOneCharacter(bytes: Buffer): boolean {
  const text = bytes.toString('utf8');
  return Array.from(text).length === 1 && Buffer.from(text).equals(bytes);
}

/** The bytes that {@link segmentOfName} wrote as `path`; undefined where it has no such escape. */
export function unescapedPath(path: string): Buffer | undefined {
  if (!/\uFFFD[89A-F][0-9A-F]/.test(path)) return undefined;
  const parts = path.split(/(\uFFFD[89A-F][0-9A-F])/);
  return Buffer.concat(
    parts.map((part, i) => (i % 2 === 1 ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part, 'utf8'))),
  );
}

/** Names that a folder store keeps for itself beside the objects; they are never listed and never written as keys. */
export function isReservedName(name: string): boolean {
  return /^\.c2srt-[0-9a-f]{16}\.(tmp|lock)/.test(name);
}

export function temporaryName(): string {
  return `.c2srt-${randomBytes(8).toString('hex')}.tmp`;
}

/** Name of the lock file for conditional puts of the key segment `name`, in the same folder. */
export function lockName(name: string): string {
  return `.c2srt-${createHash('sha256').update(name).digest('hex').slice(0, 16)}.lock`;
}

/**
 * Throws `Store.InvalidKey` unless `key` names a file strictly below the folder: no empty, `.` or `..` segments, no
 * NUL, nothing absolute.
 */
export function checkFileKey(key: string, uri: string): void {
  const invalid = (why: string) =>
    new Failure('Store.InvalidKey', `${uri}: key ${JSON.stringify(key)} ${why}`, {
      subject: `${uri}/${key}`,
    });
  if (key.includes('\0')) throw invalid('contains a NUL character');
  if (sep !== '/' && key.includes(sep)) throw invalid(`contains "${sep}"`);
  for (const segment of key.split('/')) {
    if (segment === '') throw invalid('has an empty part; a folder store takes keys like "a/b.jpg"');
    if (segment === '.' || segment === '..') throw invalid(`has the part "${segment}"`);
    if (isReservedName(segment)) throw invalid('is a name that the store keeps for itself');
  }
}
