/** Public data sets in their publishers' layouts. A folder in test/data/layouts is a data set, each of its cases a test. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { datasetCommand } from '../../cli/commands/dataset/index.ts';
import { parseCategories } from '../../data/categories.ts';
import { openCoco } from '../../data/dataset/layouts/coco.ts';
import { importLayout, type ImportSummary } from '../../data/dataset/layouts/importLayout.ts';
import { jsonElements } from '../../data/dataset/layouts/jsonElements.ts';
import { openOpenImages } from '../../data/dataset/layouts/openImages.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import { writeSnapshot } from '../../data/dataset/snapshot.ts';
import { writeManifest, type LabelledImage } from '../../data/dataset/writeManifest.ts';
import { openStore } from '../../data/store/open.ts';
import { all, failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

const LAYOUTS = fileURLToPath(new URL('layouts/', import.meta.url));

/** What a case expects; `path` is below the folder of images. */
interface Case {
  args: string[];
  rows: { path: string; labels: string[]; absent: string[] | null }[];
  categories: unknown[];
  summary: ImportSummary;
}

let folder: string;
let server: TestS3;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-layouts-'));
  server = await startTestS3();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

/** A copy of a data set, with empty images, to damage. */
async function copyOf(layout: string): Promise<string> {
  const copy = join(folder, `${layout}-${serial++}`);
  await cp(join(LAYOUTS, layout), copy, { recursive: true });
  for (const name of (await readFile(join(copy, 'images.txt'), 'utf8')).trim().split('\n')) {
    await mkdir(dirname(join(copy, 'images', name)), { recursive: true });
    await writeFile(join(copy, 'images', name), '');
  }
  return copy;
}

/** `c2srt dataset import`, with the arguments that name files of `base` leading there. */
async function importInto(base: string, args: readonly string[], out = 'out/manifest.jsonl') {
  const program = new Command().exitOverride();
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    datasetCommand(program, () => undefined);
    const placed = args.map((arg) => (existsSync(join(base, arg)) ? join(base, arg) : arg));
    const target = join(base, out);
    await program.parseAsync(
      ['dataset', 'import', ...placed, '--images', join(base, 'images'), '--out', target, '--json'],
      { from: 'user' },
    );
    const printed = JSON.parse(String(log.mock.calls.at(-1)![0])) as ImportSummary & Record<string, unknown>;
    const { manifest, categoriesFile, ...summary } = printed;
    return { manifest: String(manifest), categoriesFile: String(categoriesFile), summary };
  } finally {
    log.mockRestore();
  }
}

const cases = globSync('*/cases/*.json', { cwd: LAYOUTS })
  .sort()
  .map((file) => [file.split('/')[0]!, basename(file, '.json'), file] as const);

describe('a data set becomes a manifest and categories', () => {
  it.each(cases)('%s: %s', async (layout, _, file) => {
    const base = await copyOf(layout);
    const { args, rows, categories, summary } = JSON.parse(readFileSync(join(LAYOUTS, file), 'utf8')) as Case;
    for (const out of ['out/manifest.jsonl', 'out/manifest.parquet']) {
      const imported = await importInto(base, args, out);
      // The example of an unknown label names its file by its URI.
      imported.summary.dropped.unknownExample =
        imported.summary.dropped.unknownExample?.replace(/\(.*\//, '(') ?? null;
      expect(imported.summary).toEqual(summary);
      const read = await all(readManifest(imported.manifest, { kind: 'labels' }));
      const expected = rows.map(({ path, labels, absent }) => ({
        uri: openStore(join(base, 'images')).describeKey(path),
        ...{ labels, absent, etag: null },
      }));
      expect(read.map(({ uri, labels, absent, etag }) => ({ uri, labels, absent, etag }))).toEqual(expected);
      expect(JSON.parse(await readFile(imported.categoriesFile, 'utf8'))).toEqual(categories);
      await expectTrainable(imported, rows.length);
    }
    expect((await readdir(join(base, 'out'))).sort()).toEqual([
      ...['categories.json', 'manifest.jsonl', 'manifest.parquet'],
    ]);
  });
});

/** A training's snapshot can be made of what was imported. */
async function expectTrainable(
  { manifest, categoriesFile }: { manifest: string; categoriesFile: string },
  images: number,
): Promise<void> {
  const { train } = await writeSnapshot({
    kind: 'labels',
    categories: parseCategories(await readFile(categoriesFile), categoriesFile),
    unlisted: 'absent',
    output: openStore(join(folder, `run-${serial++}`)),
    data: manifest,
    validation: null,
    validationShare: 0,
  });
  expect(train.images).toBe(images);
}

it('with --pin, rows have the etags that the images have now', async () => {
  const base = await copyOf('coco');
  const { manifest } = await importInto(base, ['coco', 'source/instances_val2017.json', '--pin']);
  const listed = await all(openStore(join(base, 'images')).list());
  const read = await all(readManifest(manifest, { kind: 'labels' }));
  expect(read.map(({ etag }) => etag)).toEqual(listed.map(({ etag }) => etag));
});

it('from a bucket, its images in the bucket too', async () => {
  const store = { env: server.env };
  const base = await copyOf('open-images');
  const bucket = openStore('s3://bucket/oid', store);
  for (const name of globSync('source/*.csv', { cwd: base }))
    await bucket.put(name, await readFile(join(base, name)));
  await bucket.put('images/000002b66c9c498e.jpg', 'x');
  const layout = await openOpenImages({
    classes: 's3://bucket/oid/source/class-descriptions.csv',
    labels: ['s3://bucket/oid/source/train-annotations-human-imagelabels.csv'],
    ...{ presentFrom: 1, absentUpTo: 0, lists: { seen: null, unseen: null }, store },
  });
  const manifest = join(base, 'm.jsonl');
  await importLayout(layout, {
    images: openStore('s3://bucket/oid/images', store),
    ...{ manifest, categories: join(base, 'c.json'), pin: false },
  });
  expect(await all(readManifest(manifest, { kind: 'labels' }))).toMatchObject([
    { uri: 's3://bucket/oid/images/000002b66c9c498e.jpg', labels: ['Cat', 'Mammal, furry'], absent: ['Dog'] },
  ]);
});

describe('what is damaged is refused, with file and place', () => {
  const N = ['nus-wide', 'source'];
  const O = [
    ...['open-images', 'source/train-annotations-human-imagelabels.csv'],
    ...['--classes', 'source/class-descriptions.csv'],
  ];
  const C = ['coco', 'source/instances_val2017.json'];
  const change = (from: string | RegExp, to: string) => (text: string) => text.replace(from, to);
  it.each<[string, string[], string, (text: string) => string, string, RegExp]>([
    [
      'a label file that is short',
      N,
      'source/Groundtruth/AllLabels/Labels_sky.txt',
      change('0\r\n', ''),
      'Dataset.Invalid',
      /Labels_sky\.txt: it has 4 lines, and .*Imagelist\.txt has 5 images/,
    ],
    [
      'a label that is no bit',
      N,
      'source/Groundtruth/AllLabels/Labels_sky.txt',
      change('0\r\n', 'x\r\n'),
      'Dataset.Invalid',
      /Labels_sky\.txt: line 2: "x" is neither 0 nor 1/,
    ],
    [
      'a tag that is no bit',
      N,
      'source/NUS_WID_Tags/AllTags1k.txt',
      change('174174086\t1', '174174086\t7'),
      'Dataset.Invalid',
      /AllTags1k\.txt: line 2: "7" is neither/,
    ],
    [
      'tags of another image',
      N,
      'source/NUS_WID_Tags/AllTags1k.txt',
      change('174174086', '174174087'),
      'Dataset.Invalid',
      /line 2: photo 174174087 is not the image list's actor\/0002_174174086\.jpg/,
    ],
    [
      'too few tags',
      N,
      'source/NUS_WID_Tags/TagList1k.txt',
      change('blue\n', ''),
      'Dataset.Invalid',
      /AllTags1k\.txt: line 1 has 5 numbers; there are 3 tags/,
    ],
    [
      'too many rows of tags',
      N,
      'source/NUS_WID_Tags/AllTags1k.txt',
      (text) => `${text}7 0 0 0 0\n`,
      'Dataset.Invalid',
      /AllTags1k\.txt: it has 6 lines, and .* 5 images/,
    ],
    [
      'too few rows of tags',
      N,
      'source/NUS_WID_Tags/AllTags1k.txt',
      change(/100\t.*\n/, ''),
      'Dataset.Invalid',
      /AllTags1k\.txt: it has 4 lines/,
    ],
    [
      'an image list that is none',
      N,
      'source/ImageList/Imagelist.txt',
      change('actor\\0002', '..\\'),
      'Dataset.Invalid',
      /Imagelist\.txt: line 2: "\.\.\\_174174086\.jpg" is no image's path/,
    ],
    [
      'a concept without labels',
      N,
      'source/ConceptsList/Concepts81.txt',
      change('sky', 'sea'),
      'Store.NotFound',
      /none of Groundtruth\/AllLabels\/Labels_sea\.txt, AllLabels\/Labels_sea\.txt/,
    ],
    [
      'a confidence that is no number',
      O,
      O[1]!,
      change('0bt9lr,0', '0bt9lr,no'),
      'Dataset.Invalid',
      /imagelabels\.csv: line 3: the Confidence "no" is no number/,
    ],
    [
      'a confidence above 1',
      O,
      O[1]!,
      change('0bt9lr,0', '0bt9lr,2'),
      'Dataset.Invalid',
      /line 3: the Confidence "2"/,
    ],
    [
      'an id with a path in it',
      O,
      O[1]!,
      change('000002c7f4b5ac99', '../x'),
      'Dataset.Invalid',
      /line 9: the ImageID "\.\.\/x" is none/,
    ],
    [
      'another header',
      O,
      O[1]!,
      change('LabelName', 'Label'),
      'Dataset.Invalid',
      /not a header with a column "LabelName"/,
    ],
    [
      'a class twice',
      O,
      O[3]!,
      change('/m/0bt9lr', '/m/01yrx'),
      'Dataset.Invalid',
      /class-descriptions\.csv: line 2 names the label \/m\/01yrx, as line 1 does/,
    ],
    [
      'a class without a name',
      O,
      O[3]!,
      change(',Dog', ''),
      'Dataset.Invalid',
      /line 2: "\/m\/0bt9lr" is not a label's id and its name/,
    ],
    [
      'bytes that are no text',
      O,
      O[3]!,
      () => 'caf\uFFFD',
      'Dataset.Encoding',
      /class-descriptions\.csv, line 1: not valid UTF-8/,
    ],
    [
      'JSON that is cut off',
      C,
      C[1]!,
      (text) => text.slice(0, text.indexOf('"id": 632')),
      'Dataset.Invalid',
      /val2017\.json: it cannot be read as JSON after images\[1\]/,
    ],
    [
      'no JSON at all',
      C,
      C[1]!,
      () => '[1]',
      'Dataset.Invalid',
      /after its beginning: it is not a JSON object/,
    ],
    [
      'an annotation of no image',
      C,
      C[1]!,
      change('"image_id": 632', '"image_id": 7'),
      'Dataset.Invalid',
      /annotations\[1\]: there is no image with the id 7/,
    ],
    [
      'an annotation of no category',
      C,
      C[1]!,
      change('"category_id": 90', '"category_id": 91'),
      'Dataset.Invalid',
      /annotations\[2\]: there is no category with the id 91/,
    ],
    [
      'two images of one id',
      C,
      C[1]!,
      change('"id": 285', '"id": 139'),
      'Dataset.Invalid',
      /images\[1\] has the id 139, which another image has/,
    ],
    [
      'two categories of one id',
      C,
      C[1]!,
      change('"id": 90, "name"', '"id": 1, "name"'),
      'Dataset.Invalid',
      /categories\[2\] has the id 1/,
    ],
    [
      'an image without a file name',
      C,
      C[1]!,
      change('"file_name": "000000000285.jpg", ', ''),
      'Dataset.Invalid',
      /images\[1\]: file_name: /,
    ],
    [
      'no categories',
      C,
      C[1]!,
      change('"categories"', '"classes"'),
      'Dataset.Invalid',
      /it has no categories/,
    ],
    [
      'categories that are no array',
      C,
      C[1]!,
      change(/"categories": \[[^]*\]/, '"categories": {}'),
      'Dataset.Invalid',
      /its "categories" is not an array/,
    ],
    [
      'a list with a typing error',
      [...C, '--unseen', 'unseen.txt'],
      'unseen.txt',
      () => '\nbaer\n',
      'Dataset.UnknownCategory',
      /unseen\.txt, line 2: "baer" is not in/,
    ],
    [
      'a category in both lists',
      [...C, '--unseen', 'unseen.txt', '--seen', 'unseen.txt'],
      'unseen.txt',
      (text) => text,
      'Dataset.Conflict',
      /unseen\.txt, line 1: "bear" is seen by .*unseen\.txt, line 1/,
    ],
    [
      'an empty list',
      [...C, '--seen', 'unseen.txt'],
      'unseen.txt',
      () => '# none\n',
      'Dataset.Empty',
      /unseen\.txt names no category/,
    ],
    [
      'images elsewhere',
      C,
      'images/000000000139.jpg',
      (text) => text,
      'Dataset.Empty',
      /has none of the data set's images/,
    ],
  ])('%s', async (what, args, file, damage, code, message) => {
    const base = await copyOf(args[0]!);
    if (what === 'images elsewhere') {
      await rm(join(base, 'images'), { recursive: true });
      await mkdir(join(base, 'images'));
    } else {
      const encoding = what === 'bytes that are no text' ? 'latin1' : 'utf8';
      await writeFile(join(base, file), damage(await readFile(join(base, file), 'utf8')), encoding);
    }
    expect(await failureOf(importInto(base, args))).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    // Nothing half-written stays behind.
    expect(await readdir(join(base, 'out')).catch(() => [])).toEqual([]);
  });

  it.each([
    [['--present-above', '0.5', '--absent-below', '0.5'], 'Config.Invalid', /the first must be greater/],
    [['--present-above', 'x'], 'Usage.Flag', /--present-above x is no number/],
    [['--out', 's3://bucket/m.jsonl'], 'Dataset.Invalid', /is not a path on this machine/],
    [['--out', 'm.csv'], 'Dataset.Invalid', /ends in none of \.parquet, \.jsonl, \.ndjson/],
  ])('%j', async (more, code, message) => {
    const base = await copyOf('open-images');
    const out = more[0] === '--out' ? more[1]! : 'out/manifest.jsonl';
    const program = new Command().exitOverride();
    datasetCommand(program, () => undefined);
    const args = [
      ...O.map((arg, i) => (i % 2 === 1 ? join(base, arg) : arg)),
      ...(more[0] === '--out' ? [] : more),
    ];
    const parsed = program.parseAsync(
      [
        'dataset',
        'import',
        ...args,
        '--images',
        join(base, 'images'),
        '--out',
        out.includes(':') ? out : join(base, out),
      ],
      { from: 'user' },
    );
    expect(await failureOf(parsed)).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});

it('what is said of images does not depend on the order, nor on what fits in memory', async () => {
  const base = join(folder, 'ordered');
  const paths = ['a.jpg', 'a/b.jpg', 'a0.jpg', 'é.jpg', '\u{1F600}.jpg'];
  for (const path of paths.slice(1)) {
    await mkdir(dirname(join(base, path)), { recursive: true });
    await writeFile(join(base, path), '');
  }
  const verdict = fc.record({
    path: fc.constantFrom(...paths),
    category: fc.nat(2),
    isPresent: fc.boolean(),
    isMachine: fc.boolean(),
  });
  const manifest = join(folder, 'ordered.jsonl');
  await fc.assert(
    fc.asyncProperty(fc.array(verdict, { minLength: 1, maxLength: 40 }), async (verdicts) => {
      fc.pre(verdicts.some(({ path }) => path !== paths[0]));
      const records = verdicts.map(({ path, category, isPresent, isMachine }) => ({
        ...{ path, isMachine },
        ...{ present: isPresent ? [category] : [], absent: isPresent ? [] : [category] },
      }));
      const summary = await importLayout(
        {
          categories: ['x', 'y', 'z'].map((name) => ({ name, aliases: [], prompts: [] })),
          unlisted: 'unknown',
          records: () => asStream(records),
          dropped: { notListed: 0, unknown: 0, unknownExample: null },
        },
        {
          ...{ images: openStore(base), manifest, categories: join(folder, 'ordered.json') },
          ...{ pin: false, maxRecordsInMemory: 3 },
        },
      );
      const decided = (path: string, category: number): boolean | undefined => {
        const own = verdicts.filter((one) => one.path === path && one.category === category);
        const people = own.filter(({ isMachine }) => !isMachine);
        const counts = people.length > 0 ? people : own;
        return counts.length === 0 ? undefined : counts.some(({ isPresent }) => isPresent);
      };
      const said = new Set(verdicts.map(({ path }) => path));
      const expected = paths.slice(1).flatMap((path) => {
        const of = (wanted: boolean) => ['x', 'y', 'z'].filter((_, i) => decided(path, i) === wanted);
        return said.has(path)
          ? [{ uri: openStore(base).describeKey(path), labels: of(true), absent: of(false) }]
          : [];
      });
      const read = await all(readManifest(manifest, { kind: 'labels' }));
      expect(read.map(({ uri, labels, absent }) => ({ uri, labels, absent }))).toEqual(expected);
      expect(summary).toMatchObject({
        ...{ images: expected.length, withoutFile: said.has(paths[0]!) ? 1 : 0 },
        unlistedFiles: paths.length - 1 - expected.length,
      });
    }),
    { numRuns: 60 },
  );
});

it('what is written is what is read, in both formats', async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .map((text) => text.normalize('NFC').trim())
    .filter((text) => text !== '' && !/[\p{Cc}\p{Surrogate}]/u.test(text));
  const names = fc.uniqueArray(name, { maxLength: 5 });
  const image = fc.record({
    uri: fc.nat().map((n) => `s3://bucket/a b/${n}#%.jpg`),
    labels: names,
    absent: fc.option(names),
    etag: fc.option(fc.stringMatching(/^[0-9a-f-]{1,20}$/)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(image, { minLength: 1, maxLength: 30 }), async (images) => {
      for (const ending of ['jsonl', 'parquet']) {
        const file = join(folder, `round-trip.${ending}`);
        await writeManifest(file, asStream(images));
        const read = await all(readManifest(file, { kind: 'labels' }));
        expect(read.map(({ uri, labels, absent, etag }) => ({ uri, labels, absent, etag }))).toEqual(images);
      }
    }),
    { numRuns: 40 },
  );
});

async function* asStream<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

it('a manifest that cannot be written whole leaves the one before', async () => {
  const file = join(folder, 'kept.parquet');
  const row: LabelledImage = { uri: 's3://bucket/a', labels: ['x'], absent: null, etag: null };
  await writeManifest(file, asStream([row]));
  async function* failing(): AsyncGenerator<LabelledImage> {
    yield await Promise.resolve(row);
    throw new TypeError('half');
  }
  await expect(writeManifest(file, failing())).rejects.toThrow('half');
  expect(await all(readManifest(file, { kind: 'labels' }))).toHaveLength(1);
});

it('elements of a JSON object do not depend on how it is cut, nor on fields that are skipped', async () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        other: value,
        a: fc.array(value),
        deep: fc.record({ a: fc.array(value) }),
        b: fc.array(value),
      }),
      fc.integer({ min: 1, max: 9 }),
      async (object, size) => {
        const text = JSON.stringify({
          ...object,
          a: object.a.map((item) => ({ skipped: item, kept: item })),
        });
        const pieces: string[] = [];
        for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
        const found = await all(jsonElements(asStream(pieces), { arrays: ['b', 'a'], skip: ['skipped'] }));
        const expected = [
          ...object.a.map((item, index) => ({ array: 'a', index, value: { kept: item } })),
          ...object.b.map((item, index) => ({ array: 'b', index, value: withoutSkipped(item) })),
        ];
        expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
      },
    ),
  );
});

function withoutSkipped(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  const { skipped: _, ...rest } = item as Record<string, unknown>;
  return rest;
}

it('an annotation file larger than what is sorted in memory, or than a line may be', async () => {
  const images = Array.from({ length: 60_000 }, (_, id) => ({ id, file_name: `${id}.jpg` }));
  const annotations = images
    .toReversed()
    .map(({ id }) => ({ id, image_id: id, category_id: id % 3, segmentation: [[1]] }));
  const categories = ['a', 'b', 'c'].map((name, id) => ({ id, name }));
  const file = join(folder, 'large.json');
  await writeFile(file, JSON.stringify({ annotations, images, categories }));
  const layout = await openCoco({ annotations: file, lists: { seen: null, unseen: null } });
  let count = 0;
  for await (const { path, present } of layout.records()) {
    count++;
    if (count % 10_000 === 0) expect(present).toEqual([Number(path.split('.')[0]) % 3]);
  }
  expect(count).toBe(images.length);
});
