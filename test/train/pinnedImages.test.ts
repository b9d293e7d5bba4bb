/** Images that a manifest names with their etags: what is read is what was listed, or it is a counted failure. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createImageLoader } from '../../activities/train/features/imageLoader.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import { readSnapshotRows, writeSnapshot } from '../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../data/dataset/snapshotRow.ts';
import { openStore, type StoreOptions } from '../../data/store/open.ts';
import {
  describeFailed,
  mergeFailed,
  NAMED_IMAGES,
  summariseFailed,
} from '../../data/training/failedImages.ts';
import { snapshotFolder } from '../../data/training/trainLayout.ts';
import { all, failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

let folder: string;
let server: TestS3;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-pinned-'));
  server = await startTestS3();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function manifest(text: string, name = `${serial++}.jsonl`): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

const etagsOf = async (file: string): Promise<(string | null)[]> =>
  (await all(readManifest(file, { kind: 'labels' }))).map(({ etag }) => etag);

const categories = ['dog', 'cat'].map((name) => ({ name, aliases: [], prompts: [] }));

async function freeze(kind: 'labels' | 'captions', lines: readonly object[]) {
  const output = openStore(join(folder, `run-${serial++}`));
  const data = await manifest(lines.map((line) => JSON.stringify(line)).join('\n'));
  const meaning = kind === 'labels' ? { kind, categories, unlisted: 'absent' as const } : { kind };
  const { train } = await writeSnapshot({ ...meaning, output, data, validation: null, validationShare: 0 });
  const rows = await readSnapshotRows(output, snapshotFolder('train'), 0, train.images);
  return { hash: train.hash, rows: rows.toSorted((a, b) => (a.uri < b.uri ? -1 : 1)) };
}

describe('a manifest may say etags', () => {
  it('in every format, in quotes or not; none and nothing are the same', async () => {
    const lines = ['{"uri":"a","labels":[],"etag":"\\"x-1\\""}', '{"uri":"b","labels":[],"etag":null}'];
    expect(await etagsOf(await manifest(lines.join('\n')))).toEqual(['x-1', null]);
    const table = 'uri,labels,etag\na,,x-1\nb,,\n"c",,"""y"""\n';
    expect(await etagsOf(await manifest(table, 'm.csv'))).toEqual(['x-1', null, 'y']);
  });

  it.each(['5', '["x"]', '"a b"', '"\\u0000"'])('%s is none', async (etag) => {
    const file = await manifest(`\n{"uri":"a","labels":[],"etag":${etag}}`);
    expect(await failureOf(etagsOf(file))).toMatchObject({
      code: 'Dataset.Invalid',
      message: expect.stringMatching(/line 2: etag: expected a string, found/) as string,
    });
  });
});

describe('a snapshot', () => {
  const labelled = [
    { uri: 's3://images/a', labels: ['dog'] },
    { uri: 's3://images/b', labels: ['cat'], absent: ['dog'] },
  ];
  const captioned = [
    { uri: 's3://images/a', captions: ['a dog'] },
    { uri: 's3://images/b', captions: ['a cat'], mentions: ['cat'] },
  ];

  it('without etags has the hash that it had before there were any', async () => {
    expect((await freeze('labels', labelled)).hash).toBe(
      '89873e111fd2baa871f1936b456f0298dcb0afdb0e3b890f625e1f5dd6acdb08',
    );
    expect((await freeze('captions', captioned)).hash).toBe(
      '377b23778d09cdf307965da270399a668f808950e35718cc2e0ab062e8afa8f1',
    );
  });

  it('keeps etags, which are part of its hash', async () => {
    const pinned = [{ ...labelled[0]!, etag: 'x' }, labelled[1]!];
    const one = await freeze('labels', pinned);
    expect(one.rows).toEqual([
      { uri: 's3://images/a', etag: 'x', present: [0], absent: null },
      { uri: 's3://images/b', present: [1], absent: [0] },
    ]);
    const other = await freeze('labels', [{ ...pinned[0]!, etag: 'y' }, pinned[1]!]);
    const none = await freeze('labels', labelled);
    expect(new Set([one.hash, other.hash, none.hash]).size).toBe(3);
    const captions = await freeze('captions', [captioned[0]!, { ...captioned[1]!, etag: 'z' }]);
    expect(captions.rows[1]).toEqual({
      ...{ uri: 's3://images/b', etag: 'z', present: [], absent: [] },
      ...{ captions: ['a cat'], mentions: ['cat'] },
    });
  });

  it('takes the etag that one of two rows of an image has, and refuses two', async () => {
    const row = { uri: 's3://images/a', labels: ['dog'] };
    const both = await freeze('labels', [row, { ...row, etag: 'x' }]);
    expect(both.rows).toMatchObject([{ etag: 'x' }]);
    const twice = freeze('labels', [
      { ...row, etag: 'x' },
      { ...row, etag: 'y' },
    ]);
    expect(await failureOf(twice)).toMatchObject({
      code: 'Dataset.Conflict',
      message: expect.stringMatching(
        /lists s3:\/\/images\/a twice with different etags: line 1 and line 2/,
      ) as string,
    });
    const captions = { uri: 's3://images/a', captions: ['a dog'] };
    const more = await freeze('captions', [
      { ...captions, etag: 'x' },
      { ...captions, captions: ['dog'] },
    ]);
    expect(more.rows).toMatchObject([{ etag: 'x', captions: ['a dog', 'dog'] }]);
  });
});

describe('an image is read', () => {
  /** Each image's first byte, in the order asked for; and the codes of those that failed. */
  async function load(images: Pick<SnapshotRow, 'uri' | 'etag'>[], options: StoreOptions = {}) {
    const loader = createImageLoader({
      openStore: (uri) => openStore(uri, options),
      decoder: {
        decode: (body) => Promise.resolve({ pixels: new Uint8Array([body[0]!, 0, 0]), width: 1, height: 1 }),
      },
      imageSide: 1,
      maxBytes: 1000,
      concurrency: 2,
    });
    const { pixels, failed } = await loader(images, new AbortController().signal);
    return images.map((_, i) => failed.get(i)?.code ?? String.fromCharCode(pixels[3 * i]!));
  }

  it.each(['a folder', 'a bucket'])('as it was listed, from %s', async (kind) => {
    const options = kind === 'a bucket' ? { env: server.env } : {};
    const base = kind === 'a bucket' ? 's3://bucket/pinned' : pathToFileURL(join(folder, 'images')).href;
    const store = openStore(base, options);
    for (const name of ['a', 'b', 'c', 'd']) await store.put(`${name}.jpg`, `${name} 1`);
    const listed = (await all(store.list())).map(({ key, etag }) => ({ uri: `${base}/${key}`, etag }));
    expect(await load(listed, options)).toEqual(['a', 'b', 'c', 'd']);
    await store.put('b.jpg', 'B, longer');
    await store.delete(['c.jpg']);
    expect(await load(listed, options)).toEqual(['a', 'Store.Changed', 'Store.NotFound', 'd']);
    const anything = listed.map(({ uri }) => ({ uri }));
    expect(await load(anything, options)).toEqual(['a', 'B', 'Store.NotFound', 'd']);
  });
});

describe('a summary of failed images', () => {
  const codes = ['Store.Changed', 'Store.NotFound', 'Image.Corrupt'];
  const image = fc.record({
    uri: fc.nat(40).map((n) => `s3://b/${createHash('md5').update(String(n)).digest('hex')}`),
    code: fc.constantFrom(...codes),
  });

  it('does not depend on their order, nor on how they are summed up', () => {
    fc.assert(
      fc.property(fc.array(image, { maxLength: 80 }), fc.nat(80), (images, at) => {
        const whole = summariseFailed(images);
        const parts = [images.slice(at).toReversed(), images.slice(0, at)].map(summariseFailed);
        expect(mergeFailed(parts)).toEqual(whole);
        expect(JSON.stringify(mergeFailed(parts.toReversed()))).toBe(JSON.stringify(whole));
        const count = Object.values(whole.byCode).reduce((sum, n) => sum + n, 0);
        expect(count).toBe(images.length);
        const different = new Set(images.map(({ uri, code }) => `${uri} ${code}`)).size;
        expect(whole.named).toHaveLength(Math.min(NAMED_IMAGES, different));
      }),
    );
  });

  it('in words, the most frequent first', () => {
    expect(describeFailed({ 'Image.Corrupt': 1, 'Store.Changed': 2, 'Image.Empty': 2 })).toBe(
      'Image.Empty 2, Store.Changed 2, Image.Corrupt 1',
    );
    expect(describeFailed({})).toBe('');
  });
});
