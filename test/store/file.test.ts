import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalUri, joinUri, openStore } from '../../data/store/open.ts';
import { lockName } from '../../data/store/file/fileNames.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { all, failureOf } from '../support/servers/s3.ts';

let root: string;
let store: ObjectStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'c2srt-files-'));
  store = openStore(root);
});
afterEach(() => rm(root, { recursive: true }));

const keys = async () => (await all(store.list())).map(({ key }) => key);

describe('addresses', () => {
  test('have one form', () => {
    expect(canonicalUri('/data/images/')).toBe('file:///data/images');
    expect(canonicalUri('file:///data/a%20b/')).toBe('file:///data/a%20b');
    expect(canonicalUri('/data/a b')).toBe('file:///data/a%20b');
    expect(canonicalUri('/data/100%')).toBe('file:///data/100%25');
    expect(canonicalUri('./x/../images')).toBe(`file://${process.cwd()}/images`);
    expect(canonicalUri('images')).toBe(`file://${process.cwd()}/images`);
    expect(canonicalUri('s3://bucket/')).toBe('s3://bucket');
    expect(canonicalUri('S3://bucket/a b%20//')).toBe('s3://bucket/a b%20');
    expect(joinUri('s3://bucket', 'a', 'b/c')).toBe('s3://bucket/a/b/c');
    expect(joinUri('/data', 'a b', 'c%')).toBe('file:///data/a%20b/c%25');
    expect(openStore(joinUri('/data', 'c%')).describeKey('d e#')).toBe('file:///data/c%25/d%20e%23');
  });

  test.each(['', 's3://', 's3:///key', 's3://-', 'gs://bucket/x', 'http://host/x', 'file://host/x', 'a\0b'])(
    '%j is refused',
    async (uri) => {
      const failure = await failureOf(Promise.resolve().then(() => openStore(uri)));
      expect(failure).toMatchObject({ code: 'Store.InvalidUri' });
    },
  );
});

test.each([
  '',
  '/etc/passwd',
  '../x',
  'a/../../x',
  'a/./b',
  'a//b',
  'a/',
  '..',
  'a\0b',
  '.c2srt-0123456789abcdef.tmp',
])('key %j cannot leave the folder', async (key) => {
  for (const work of [store.get(key), store.head(key), store.put(key, 'x'), store.delete([key])]) {
    expect(await failureOf(work)).toMatchObject({ code: 'Store.InvalidKey' });
  }
});

test('links to files and folders are followed, cycles and dead ends are not', async () => {
  await mkdir(join(root, 'real/sub'), { recursive: true });
  await writeFile(join(root, 'real/sub/a.jpg'), 'a');
  await symlink('real/sub/a.jpg', join(root, 'file-link.jpg'));
  await symlink('real', join(root, 'folder-link'));
  await symlink('../..', join(root, 'real/sub/up'));
  await symlink('nowhere', join(root, 'dead'));
  await symlink('self', join(root, 'self'));
  await promisify(execFile)('mkfifo', [join(root, 'pipe')]);
  expect(await keys()).toEqual(['file-link.jpg', 'folder-link/sub/a.jpg', 'real/sub/a.jpg']);
  expect((await store.get('file-link.jpg')).info.sizeBytes).toBe(1);
  for (const key of ['dead', 'self', 'pipe', 'real']) {
    expect((await failureOf(store.get(key))) as { code?: string }).toMatchObject({
      code: key === 'self' ? 'Store.InvalidKey' : 'Store.NotFound',
    });
  }
});

test.runIf(process.platform === 'linux')('names that are not UTF-8 have keys that lead to them', async () => {
  const names = ['caf\xe9.jpg', 'caf\xc3\xa9.jpg', '\xff\xfe/\xf0\x9f\x98\x80\x80.jpg'];
  await mkdir(Buffer.concat([Buffer.from(`${root}/`), Buffer.from('\xff\xfe', 'latin1')]));
  for (const name of names) {
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]), name);
  }
  const listed = await keys();
  expect(listed).toEqual(['caf\u00e9.jpg', 'caf\uFFFDE9.jpg', '\uFFFDFF\uFFFDFE/\u{1F600}\uFFFD80.jpg']);
  const contents = await Promise.all(
    listed.map(async (key) => Buffer.from((await store.get(key)).body).toString()),
  );
  expect(contents.sort()).toEqual(names.toSorted());
  expect((await store.head('caf\uFFFDE9.jpg'))?.key).toBe('caf\uFFFDE9.jpg');
  await store.put('really\uFFFDE9', 'literal');
  expect(Buffer.from((await store.get('really\uFFFDE9')).body).toString()).toBe('literal');
});

test('an etag follows size and time, and tells two writes in one tick apart', async () => {
  const first = await store.put('a', 'same size 1');
  const etags = new Set([first.etag]);
  for (let i = 2; i < 8; i++) etags.add((await store.put('a', `same size ${i}`)).etag);
  expect(etags.size).toBe(7);
  const before = await store.head('a');
  await utimes(join(root, 'a'), 1_000_000_000, 1_000_000_000);
  const after = await store.head('a');
  expect(after?.etag).not.toBe(before?.etag);
  expect(after?.lastModifiedMs).toBe(1_000_000_000_000);
});

test('what a crash leaves behind is not listed and does no harm', async () => {
  await writeFile(join(root, '.c2srt-0123456789abcdef.tmp'), 'half');
  const { etag } = await store.put('alias', 'one');
  // A process that is no more, as its number is beyond the largest.
  const dead = JSON.stringify({ host: (await import('node:os')).hostname(), pid: 2 ** 30, id: 'gone' });
  await writeFile(join(root, lockName('alias')), dead);
  expect(await keys()).toEqual(['alias']);
  await store.put('alias', 'two', { ifMatch: etag });
  expect(Buffer.from((await store.get('alias')).body).toString()).toBe('two');
  expect((await readdir(root)).sort()).toEqual(['.c2srt-0123456789abcdef.tmp', 'alias']);
});

test('a folder or a file in the way is said', async () => {
  await store.put('a/b', 'x');
  expect(await failureOf(store.put('a', 'x'))).toMatchObject({ code: 'Store.InvalidKey' });
  expect(await failureOf(store.put('a/b/c', 'x'))).toMatchObject({ code: 'Store.InvalidKey' });
  expect(await failureOf(store.put('n'.repeat(300), 'x'))).toMatchObject({ code: 'Store.InvalidKey' });
  expect(await failureOf(all(openStore(join(root, 'a/b')).list()))).toMatchObject({
    code: 'Store.InvalidUri',
  });
  expect(await keys()).toEqual(['a/b']);
});

test('deleting the last file of a folder removes the folder, never the store itself', async () => {
  await store.put('a/b/c', 'x');
  await store.put('a/d', 'x');
  await store.delete(['a/b/c']);
  expect(await readdir(join(root, 'a'))).toEqual(['d']);
  await store.delete(['a/d']);
  expect(await readdir(root)).toEqual([]);
});

test('puts and deletes in one folder do not disturb each other', async () => {
  const work = Array.from({ length: 60 }, async (_value, i) => {
    await store.put(`deep/er/${i}`, 'x');
    await store.delete([`deep/er/${i}`]);
  });
  await Promise.all(work);
  expect(await keys()).toEqual([]);
});

test('what may not be read fails, also a listing', async () => {
  await store.put('closed/a', 'x');
  await chmod(root, 0o755);
  await chmod(join(root, 'closed'), 0o000);
  await notAsRoot(async () => {
    expect(await failureOf(store.get('closed/a'))).toMatchObject({ code: 'Store.Forbidden' });
    expect(await failureOf(keys())).toMatchObject({ code: 'Store.Forbidden' });
  });
  await chmod(join(root, 'closed'), 0o700);
});

/** Root may read everything: as root, the work is done as the user `nobody`. */
async function notAsRoot(work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid!(65534);
  try {
    await work();
  } finally {
    process.seteuid!(0);
  }
}

test('a large flat folder lists in order', async () => {
  await mkdir(join(root, 'flat'));
  const names = Array.from({ length: 3000 }, (_value, i) => `${i}.jpg`);
  for (let i = 0; i < names.length; i += 100) {
    await Promise.all(names.slice(i, i + 100).map((name) => writeFile(join(root, 'flat', name), '')));
  }
  expect(await keys()).toEqual(names.map((name) => `flat/${name}`).sort());
});
