import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCategories, type Category } from '../../data/categories.ts';
import { nearNames } from '../../data/dataset/nearNames.ts';
import {
  readSnapshotIndex,
  readSnapshotRows,
  SNAPSHOT_PIECE_ROWS,
  writeSnapshot,
  type SnapshotOptions,
} from '../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../data/dataset/snapshotRow.ts';
import { snapshotFolder } from '../../data/training/trainLayout.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { all, failureOf } from '../support/servers/s3.ts';

const [TRAIN, VALIDATION] = [snapshotFolder('train'), snapshotFolder('validation')];

const CATEGORIES: Category[] = parseCategories(
  JSON.stringify([
    'dog',
    { name: 'cat', aliases: ['kitty'] },
    { name: 'fox', split: 'unseen' },
    { name: 'bird', split: 'seen' },
  ]),
  'categories.json',
);

/** A line of a manifest, without its place. */
interface Line {
  uri: string;
  labels?: string[];
  absent?: string[];
  captions?: string[];
  mentions?: string[];
}

let folder: string;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-snapshot-'));
});
afterAll(() => rm(folder, { recursive: true }));

const fresh = (): ObjectStore => openStore(join(folder, `run-${serial++}`));

/** URIs are absolute, so that they do not depend on where the manifest lies. */
async function manifest(lines: readonly Line[]): Promise<string> {
  const path = join(folder, `manifest-${serial++}.jsonl`);
  const text = lines.map(({ uri, ...rest }) => JSON.stringify({ uri: `s3://images/${uri}`, ...rest }));
  await writeFile(path, text.join('\n'));
  return path;
}

const common = { validation: null, validationShare: 0 };
const labels = { ...common, kind: 'labels', categories: CATEGORIES, unlisted: 'absent' } as const;

/** Snapshots of the lines, with the run's folder that they are in. */
async function snapshot(lines: readonly Line[], more: Partial<SnapshotOptions> = {}) {
  const output = fresh();
  const data = await manifest(lines);
  const indices = await writeSnapshot({ ...labels, ...more, output, data });
  const rowsOf = (name: 'train' | 'validation') =>
    readSnapshotRows(output, snapshotFolder(name), 0, indices[name].images);
  return {
    ...indices,
    output,
    rows: { train: await rowsOf('train'), validation: await rowsOf('validation') },
  };
}

const sorted = (rows: SnapshotRow[]) => rows.toSorted((a, b) => (a.uri < b.uri ? -1 : 1));
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('rows', () => {
  const lines: Line[] = [
    { uri: 'a', labels: ['cat', 'fox', 'dog'] },
    { uri: 'b', labels: [], absent: ['fox', 'bird'] },
    { uri: 'c', labels: ['fox'], absent: [] },
  ];

  it('hold indices; training does without labels of unseen categories', async () => {
    const { train, validation, rows } = await snapshot(lines);
    expect(sorted(rows.train)).toEqual([
      { uri: 's3://images/a', present: [0, 1], absent: null },
      { uri: 's3://images/b', present: [], absent: [3] },
      { uri: 's3://images/c', present: [], absent: [] },
    ]);
    expect(train).toMatchObject({
      version: 1,
      kind: 'labels',
      images: 3,
      pieces: 1,
      duplicates: 0,
      unseenLabels: 2,
      positives: [1, 1, 0, 0],
    });
    expect(validation).toMatchObject({ images: 0, pieces: 0, positives: [0, 0, 0, 0] });
    expect(rows.validation).toEqual([]);
  });

  it('of a validation manifest keep them', async () => {
    const { train, validation, rows } = await snapshot([{ uri: 'x', labels: ['bird'] }], {
      validation: await manifest(lines),
    });
    expect(sorted(rows.validation)).toEqual([
      { uri: 's3://images/a', present: [0, 1, 2], absent: null },
      { uri: 's3://images/b', present: [], absent: [2, 3] },
      { uri: 's3://images/c', present: [2], absent: [] },
    ]);
    expect(validation).toMatchObject({ images: 3, unseenLabels: 0, positives: [1, 1, 2, 0] });
    expect(train).toMatchObject({ images: 1, positives: [0, 0, 0, 1] });
  });

  it('leave unlisted categories unknown where that is asked for', async () => {
    const { rows } = await snapshot(lines, { unlisted: 'unknown' });
    expect(sorted(rows.train).map(({ absent }) => absent)).toEqual([[], [3], []]);
  });

  it('of captions unite those of an image', async () => {
    const { train, rows } = await snapshot(
      [
        { uri: 'a', captions: ['two dogs', 'a dog'] },
        { uri: 'b', captions: ['a cat'], mentions: ['cat'], labels: ['unknown'] },
        { uri: 'a', captions: ['a dog', 'a big dog'], mentions: ['dog'] },
      ],
      { kind: 'captions' },
    );
    const common = { present: [], absent: [] };
    expect(sorted(rows.train)).toEqual([
      { uri: 's3://images/a', ...common, captions: ['a big dog', 'a dog', 'two dogs'], mentions: ['dog'] },
      { uri: 's3://images/b', ...common, captions: ['a cat'], mentions: ['cat'] },
    ]);
    expect(train).toMatchObject({ kind: 'captions', images: 2, duplicates: 1, positives: [] });
  });
});

describe('order', () => {
  const many: Line[] = Array.from({ length: 2500 }, (_, i) => ({
    uri: `${i}.jpg`,
    labels: ['dog', 'cat', 'fox', 'bird'].filter((_name, j) => (i >> j) % 2 === 1),
  }));

  it('is that of the hashes of the URIs, in pieces, whichever are read', async () => {
    const { train, output, rows } = await snapshot(many);
    expect(train).toMatchObject({ images: 2500, pieces: 3 });
    const uris = many.map(({ uri }) => `s3://images/${uri}`);
    expect(rows.train.map(({ uri }) => uri)).toEqual(
      uris.toSorted((a, b) => (sha256(a) < sha256(b) ? -1 : 1)),
    );
    for (const [from, to] of [
      [0, 1],
      [999, 1001],
      [1000, 2000],
      [2499, 2500],
      [1, 2500],
      [1000, 1000],
      [2500, 2500],
    ] as const)
      expect(await readSnapshotRows(output, TRAIN, from, to)).toEqual(rows.train.slice(from, to));
    for (const [from, to] of [
      [-1, 2],
      [2, 1],
      [0, 2501],
    ] as const)
      expect(await failureOf(readSnapshotRows(output, TRAIN, from, to))).toMatchObject({
        code: 'Dataset.Range',
      });
  });

  it('of the manifest, and what is listed twice, change nothing but the count of duplicates', async () => {
    const expected = await snapshot(many.slice(0, 300), { validationShare: 0.1 });
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(many.slice(0, 300), { minLength: 300 }),
        fc.subarray(many.slice(0, 300)),
        fc.integer({ min: 5, max: 400 }),
        async (shuffled, again, maxRecordsInMemory) => {
          const repeated = again.map(({ uri, labels = [] }) => ({
            uri,
            labels: [...labels].reverse().flatMap((label) => [label, label]),
          }));
          const found = await snapshot([...shuffled, ...repeated], {
            validationShare: 0.1,
            maxRecordsInMemory,
            tempFolder: folder,
          });
          expect(found.train).toEqual({ ...expected.train, duplicates: again.length });
          expect(found.validation).toEqual(expected.validation);
          expect(found.rows).toEqual(expected.rows);
        },
      ),
      { numRuns: 8 },
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('c2srt-'))).toEqual([]);
  });

  it('gives validation the first images of that order', async () => {
    const whole = await snapshot(many.slice(0, 40));
    for (const [share, count] of [
      [0, 0],
      [0.01, 1],
      [0.29, 11],
      [0.5, 20],
    ] as const) {
      const { train, validation, rows } = await snapshot(many.slice(0, 40), { validationShare: share });
      expect([train.images, validation.images]).toEqual([40 - count, count]);
      expect(rows.train).toEqual(whole.rows.train.slice(count));
      expect(rows.validation.map(({ uri }) => uri)).toEqual(
        whole.rows.train.slice(0, count).map(({ uri }) => uri),
      );
    }
    const few = await snapshot(many.slice(0, 19), { validationShare: 0.05 });
    expect(few.validation.images).toBe(0);
  });
});

describe('the hash', () => {
  const lines: Line[] = [
    { uri: 'a', labels: ['dog'] },
    { uri: 'b', labels: ['cat'] },
  ];
  const hashOf = async (changed: readonly Line[], more: Partial<SnapshotOptions> = {}) =>
    (await snapshot(changed, more)).train.hash;

  it('is that of the images and of what their labels mean', async () => {
    const hash = await hashOf(lines);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf(lines.toReversed())).toBe(hash);
    const others = [
      await hashOf([lines[0]!, { uri: 'b', labels: [] }]),
      await hashOf([lines[0]!, { uri: 'c', labels: ['cat'] }]),
      await hashOf([lines[0]!, { uri: 'b', labels: ['cat'], absent: ['dog'] }]),
      await hashOf(lines, { unlisted: 'unknown' }),
      await hashOf(lines, { categories: [...CATEGORIES].reverse() }),
      await hashOf(lines, { categories: CATEGORIES.map((c) => ({ ...c, split: 'seen' as const })) }),
    ];
    expect(new Set([hash, ...others]).size).toBe(7);
  });
});

describe('refused before anything is written:', () => {
  const dog: Line = { uri: 'a', labels: ['dog'] };
  it.each<[string, Line[], string, RegExp, RegExp?]>([
    [
      'an image with two sets of labels',
      [dog, { uri: 'b', labels: ['cat'] }, { uri: 'a', labels: ['dog', 'fox'] }],
      'Dataset.Conflict',
      /manifest-\d+\.jsonl lists s3:\/\/images\/a twice with different labels: line 1 and line 3\./,
    ],
    [
      'an image whose absent differ',
      [dog, { ...dog, absent: ['cat'] }],
      'Dataset.Conflict',
      /line 1 and line 2/,
    ],
    [
      'a label that is also absent',
      [dog, { uri: 'b', labels: ['dog', 'fox'], absent: ['bird', 'fox'] }],
      'Dataset.Conflict',
      /line 2: "fox" is among both/,
    ],
    [
      'an unknown category',
      [dog, { uri: 'b', labels: ['lion'] }],
      'Dataset.UnknownCategory',
      /manifest-\d+\.jsonl: line 2: "lion" is not among the categories/,
      /Correct it, or add/,
    ],
    [
      'a category with a typing error',
      [{ uri: 'b', labels: ['brid'] }],
      'Dataset.UnknownCategory',
      /line 1: "brid"/,
      /Did you mean "bird"\?/,
    ],
    [
      'an unknown category that is absent',
      [{ ...dog, absent: ['Cat'] }],
      'Dataset.UnknownCategory',
      /line 1: "Cat"/,
      /Did you mean "cat"\?/,
    ],
    [
      'an alias',
      [{ uri: 'a', labels: ['kitty'] }],
      'Dataset.UnknownCategory',
      /"kitty"/,
      /It is an alias of "cat": write that\./,
    ],
    [
      'no positive',
      [{ uri: 'a', labels: [] }],
      'Dataset.NoPositives',
      /no image with a label of a seen category: there/,
    ],
    [
      'only unseen positives',
      [{ uri: 'a', labels: ['fox'] }],
      'Dataset.NoPositives',
      /seen category, only labels of unseen ones \(1\)/,
      /"split"/,
    ],
  ])('%s', async (_, lines, code, message, hint = /^/) => {
    const output = fresh();
    const failure = await failureOf(
      writeSnapshot({ ...labels, output, data: await manifest(lines), tempFolder: folder }),
    );
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect((failure as { hint?: string }).hint ?? '').toMatch(hint);
    await mkdir(new URL(output.uri), { recursive: true });
    expect(await all(output.list())).toEqual([]);
    expect((await readdir(folder)).filter((name) => name.startsWith('c2srt-'))).toEqual([]);
  });

  it('images of both manifests', async () => {
    const train = Array.from({ length: 100 }, (_, i): Line => ({ uri: `${i}`, labels: ['dog'] }));
    const common = { ...labels, output: fresh(), data: await manifest(train), maxRecordsInMemory: 9 };
    const held = (uris: string[]) => manifest(uris.map((uri) => ({ uri, labels: ['cat'] })));
    const one = await failureOf(writeSnapshot({ ...common, validation: await held(['x', '7', 'y']) }));
    expect(one).toMatchObject({
      code: 'Dataset.Overlap',
      subject: 's3://images/7',
      message: expect.stringMatching(/^s3:\/\/images\/7 is both in file:.* and in file:.*\.$/) as string,
    });
    const more = await failureOf(writeSnapshot({ ...common, validation: await held(['7', 'x', '99', '0']) }));
    expect(more.message).toMatch(/^3 images, s3:\/\/images\/\d+ among them, are both in/);
    const fine = await writeSnapshot({ ...common, validation: await held(['x', 'y', 'z']) });
    expect([fine.train.images, fine.validation.images]).toEqual([100, 3]);
  });
});

describe('a snapshot that is there', () => {
  const lines: Line[] = Array.from({ length: 30 }, (_, i) => ({ uri: `${i}`, labels: ['dog'] }));

  it('stays, and its manifest is not read', async () => {
    const { output, train, validation } = await snapshot(lines, { validationShare: 0.1 });
    const before = await all(output.list());
    const again = await writeSnapshot({ ...labels, output, data: join(folder, 'gone.jsonl') });
    expect(again).toEqual({ train, validation });
    expect(await all(output.list())).toEqual(before);
    expect(await readSnapshotIndex(output, TRAIN)).toEqual(train);
  });

  it('in half is written to its end, unless the manifest has changed', async () => {
    const first = await snapshot(lines, { validationShare: 0.1 });
    const { output, train, validation } = first;
    await output.delete([`${TRAIN}index.json`]);
    expect(await readSnapshotIndex(output, TRAIN)).toBeUndefined();
    expect(await failureOf(readSnapshotRows(output, TRAIN, 0, 1))).toMatchObject({ code: 'Run.Incomplete' });
    const options = { ...labels, validationShare: 0.1, output };
    const changed = await manifest(lines.map(({ uri }) => ({ uri, labels: ['cat'] })));
    expect(await failureOf(writeSnapshot({ ...options, data: changed }))).toMatchObject({
      code: 'Dataset.Changed',
    });
    expect(await writeSnapshot({ ...options, data: await manifest(lines) })).toEqual({ train, validation });
    expect(await readSnapshotRows(output, TRAIN, 0, 27)).toEqual(first.rows.train);
  });

  it('and was damaged says so', async () => {
    const { output } = await snapshot(lines);
    const keys = (await all(output.list({ prefix: TRAIN }))).map(({ key }) => key);
    const piece = keys.find((key) => key.endsWith('images-000000.jsonl'))!;
    await output.put(
      piece,
      Buffer.from((await output.get(piece)).body)
        .toString()
        .split('\n')
        .slice(1)
        .join('\n'),
    );
    expect(await failureOf(readSnapshotRows(output, TRAIN, 0, 30))).toMatchObject({ code: 'Run.Damaged' });
    await output.put(`${VALIDATION}index.json`, '{"version": 2}');
    expect(await failureOf(readSnapshotIndex(output, VALIDATION))).toMatchObject({ code: 'Run.Invalid' });
  });
});

it('reports its progress, and ends when it is told to, without a trace', async () => {
  const lines = Array.from({ length: 2 * SNAPSHOT_PIECE_ROWS }, (_, i) => ({ uri: `${i}`, labels: ['dog'] }));
  const data = await manifest(lines);
  const reports: number[] = [];
  await writeSnapshot({ ...labels, output: fresh(), data, report: (done) => reports.push(done) });
  expect(reports.length).toBeGreaterThan(4);
  expect(reports).toEqual(reports.toSorted((a, b) => a - b));

  const output = fresh();
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  const report = (done: number) => {
    if (done >= 3000) controller.abort(reason);
  };
  const ended = writeSnapshot({
    ...labels,
    output,
    data,
    report,
    signal: controller.signal,
    tempFolder: folder,
  });
  expect(await failureOf(ended)).toBe(reason);
  expect(await readSnapshotIndex(output, TRAIN)).toBeUndefined();
  expect((await readdir(folder)).filter((name) => name.startsWith('c2srt-'))).toEqual([]);
});

// The larger manifest in memory would need more than the heap that the process is given.
it('memory does not grow with the manifest: 60,000 images within 60 MB of 6,000', async () => {
  const peak = async (count: number): Promise<number> => {
    const data = join(folder, `many-${count}.csv`);
    const rows = Array.from({ length: count }, (_, i) => {
      const names = Array.from({ length: 8 }, (_value, j) => `category ${(i * 31 + j * 97) % 500}`);
      return `photos/of/usual/length/${i}.jpg,${names.join('|')}`;
    });
    await writeFile(data, `uri,labels\n${rows.join('\n')}`);
    const script = new URL('./snapshotMany.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--max-old-space-size=48',
      '--max-semi-space-size=4',
      script,
      data,
      join(folder, `many-${count}`),
      folder,
    ]);
    const { images, peakBytes } = JSON.parse(stdout) as { images: number[]; peakBytes: number };
    expect(images).toEqual([count * 0.9, count * 0.1]);
    return peakBytes;
  };
  expect((await peak(60_000)) - (await peak(6_000))).toBeLessThan(60e6);
});

it('near names are those a few typing errors away', () => {
  const names = ['dog', 'fire engine', 'fire hydrant', 'Turkey', 'turnkey', 'hot dog'];
  expect(nearNames('fireengine', names)).toEqual(['fire engine']);
  expect(nearNames('turkey', names)).toEqual(['Turkey', 'turnkey']);
  expect(nearNames('odg', names)).toEqual(['dog']);
  expect(nearNames('cat', names)).toEqual([]);
});
