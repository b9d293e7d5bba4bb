import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readManifest } from '../../data/dataset/manifest.ts';
import type { ManifestKind, ManifestRow } from '../../data/dataset/manifestRow.ts';
import { resolveObjectUri, splitObjectUri } from '../../data/dataset/objectUri.ts';
import { wholeLines } from '../../data/dataset/wholeLines.ts';
import { openStore } from '../../data/store/open.ts';
import { pythonWithArrow } from '../parquet/otherReaders.ts';
import { all, failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-dataset-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The rows of a manifest with this content. */
async function read(
  name: string,
  content: string | Uint8Array,
  kind: ManifestKind = 'labels',
): Promise<ManifestRow[]> {
  await writeFile(join(folder, name), content);
  return await all(readManifest(join(folder, name), { kind }));
}

/** A row of labels, by the name of a file in `folder`. */
const labelled = (place: string, name: string, labels: string[], absent: string[] | null): ManifestRow => ({
  place,
  uri: pathToFileURL(join(folder, name)).href,
  etag: null,
  labels,
  absent,
  captions: [],
  mentions: [],
});

describe('labels', () => {
  const expected = (place: string, from: number) => [
    labelled(`${place} ${from}`, 'a b%.jpg', ['dog', 'salt, pepper'], null),
    labelled(`${place} ${from + 1}`, 'sub/#1.jpg', [], ['caf\u00e9']),
    labelled(`${place} ${from + 2}`, 'c.jpg', ['cat'], []),
  ];

  it('as JSON lines', async () => {
    const lines = [
      { uri: 'a b%.jpg', labels: [' dog ', 'salt, pepper', 'dog'], width: 3 },
      { uri: './x/../sub/#1.jpg', labels: [], absent: ['cafe\u0301'] },
      { uri: pathToFileURL(join(folder, 'c.jpg')).href, labels: ['cat'], absent: [] },
    ];
    const text = lines.map((line) => JSON.stringify(line));
    expect(await read('m.jsonl', text.join('\n'))).toEqual(expected('line', 1));
    expect(await read('m.NDJSON', `\ufeff${text.join('\r\n')}\r\n\n`)).toEqual(expected('line', 1));
  });

  it('as CSV, with | between items and an empty cell for the empty list', async () => {
    const rows = 'uri,labels,other\r\na b%.jpg,"dog|salt, pepper|",1\r\n';
    expect(await read('one.csv', rows)).toEqual(expected('line', 2).slice(0, 1));
    const table = `\ufeffabsent,uri,labels\n\n"",${join(folder, 'x')},\ncafe\u0301,sub/#1.jpg,\n,c.jpg,cat`;
    expect(await read('two.csv', table)).toEqual([
      labelled('line 3', 'x', [], []),
      ...expected('line', 3).slice(1),
    ]);
  });

  it.skipIf(pythonWithArrow === undefined)('as Parquet of every codec, as lists or as text', async () => {
    const script = `
import sys, pyarrow as pa, pyarrow.parquet as pq
folder = sys.argv[1]
rows = {"uri": ["a b%.jpg", "sub/#1.jpg", "c.jpg"], "labels": [["dog", "salt, pepper"], [], ["cat"]],
  "absent": [None, ["cafe\\u0301"], []], "width": [1, 2, 3]}
table = pa.table(rows, pa.schema([("uri", pa.string()), ("labels", pa.list_(pa.string())),
  ("absent", pa.list_(pa.string())), ("width", pa.int64())]))
for codec in sys.argv[2:]:
    pq.write_table(table, f"{folder}/{codec}.parquet", compression=codec, row_group_size=2)
text = {**rows, "labels": ["dog|salt, pepper", "", "cat"], "absent": [None, "cafe\\u0301", ""]}
pq.write_table(pa.table(text).select(["labels", "absent", "uri"]), f"{folder}/text.parquet")
pq.write_table(pa.table({"uri": ["a"], "labels": pa.array([None], pa.list_(pa.string()))}), f"{folder}/null.parquet")
pq.write_table(pa.table({"uri": ["a"], "labels": [[5]]}), f"{folder}/numbers.parquet")
pq.write_table(pa.table({"uri": ["a"], "tags": [["x"]]}), f"{folder}/tags.parquet")
pq.write_table(table.slice(0, 0), f"{folder}/empty.parquet")
`;
    const codecs = ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'];
    execFileSync(pythonWithArrow!, ['-c', script, folder, ...codecs]);
    const readFile = (name: string) => all(readManifest(join(folder, `${name}.parquet`), { kind: 'labels' }));
    for (const name of [...codecs, 'text']) expect(await readFile(name)).toEqual(expected('row', 1));
    const wrong: [string, string, RegExp][] = [
      ['null', 'Dataset.Invalid', /null\.parquet: row 1: labels: expected a list of strings, found none/],
      ['numbers', 'Dataset.Invalid', /numbers\.parquet: row 1: labels: .* found \["5"\]/],
      ['tags', 'Dataset.Invalid', /tags\.parquet has no column "labels"/],
      ['empty', 'Dataset.Empty', /empty\.parquet lists no image/],
    ];
    for (const [name, code, message] of wrong)
      expect(await failureOf(readFile(name))).toMatchObject({
        code,
        message: expect.stringMatching(message) as string,
      });
  });
});

it('captions: at least one, white space made even; labels are not looked at', async () => {
  const captions = { captions: [' a dog\n and a\tcat '], mentions: ['dog'], labels: 5 };
  const row = { place: 'line 1', etag: null, labels: [], absent: null, captions: ['a dog and a cat'] };
  const uri = pathToFileURL(join(folder, 'a.jpg')).href;
  expect(await read('c.jsonl', JSON.stringify({ uri: 'a.jpg', ...captions }), 'captions')).toEqual([
    { ...row, uri, mentions: ['dog'] },
  ]);
  expect(await read('c.csv', 'uri,captions\na.jpg,"a dog and\n a cat"\n', 'captions')).toEqual([
    { ...row, place: 'line 3', uri, mentions: [] },
  ]);
  expect(await failureOf(read('d.jsonl', '{"uri": "a", "captions": []}', 'captions'))).toMatchObject({
    code: 'Dataset.Invalid',
    message: expect.stringMatching(/line 1: captions: expected at least one/) as string,
  });
});

describe('refused, naming file and line:', () => {
  const line = (value: unknown) => JSON.stringify(value);
  const good = line({ uri: 'a.jpg', labels: [] });
  it.each<[string, string, string | Buffer, RegExp]>([
    ['m.txt', 'Dataset.Invalid', good, /m\.txt: its ending is none of \.parquet, \.csv, \.jsonl, \.ndjson\./],
    ['m.jsonl', 'Dataset.Empty', '', /m\.jsonl lists no image/],
    ['m.jsonl', 'Dataset.Empty', '\n \n', /lists no image/],
    ['m.jsonl', 'Dataset.Invalid', `${good}\n\n{"uri": `, /m\.jsonl: line 3: not valid JSON: /],
    ['m.jsonl', 'Dataset.Invalid', '["a.jpg"]', /line 1: expected an object with "uri" and "labels"/],
    ['m.jsonl', 'Dataset.Invalid', line({ labels: [] }), /line 1: uri: expected a string, found none/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a' }), /labels: expected a list of strings, found none/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a', labels: 'dog|cat' }), /labels: .* found "dog\|cat"/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a', labels: ['dog', 3] }), /labels: .* \["dog",3\]/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a', labels: [' '] }), /labels: an item is empty/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a', labels: ['a\tb'] }), /"a\\tb" holds a control character/],
    ['m.jsonl', 'Dataset.Invalid', '{"uri": "\\ud800", "labels": []}', /uri: .* no name has/],
    ['m.jsonl', 'Dataset.Invalid', '{"uri": "a", "labels": ["\\ud800"]}', /holds a control character/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'a', labels: [], absent: {} }), /absent: expected a list/],
    [
      'm.jsonl',
      'Dataset.Invalid',
      line({ uri: 'https://x/a', labels: [] }),
      /"https:\/\/x\/a" has the scheme/,
    ],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'file:///a#1.jpg', labels: [] }), /writes as %23/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 'sub/', labels: [] }), /names a folder, not a file/],
    ['m.jsonl', 'Dataset.Invalid', line({ uri: 's3://b', labels: [] }), /names no object of a bucket/],
    ['m.csv', 'Dataset.Empty', '', /m\.csv lists no image/],
    ['m.csv', 'Dataset.Invalid', 'labels,uri\ndog\n', /line 2: uri: expected a string, found none/],
    ['m.csv', 'Dataset.Empty', 'uri,labels\n', /m\.csv lists no image/],
    [
      'm.csv',
      'Dataset.Invalid',
      'path,labels\na,b\n',
      /m\.csv: its first line is not a header with a column "uri"/,
    ],
    ['m.csv', 'Dataset.Invalid', 'uri,labels\na,b,c\n', /m\.csv: line 2 has 3 cells, the header 2/],
    ['m.csv', 'Dataset.Invalid', 'uri,labels\na,"b\n', /Quote Not Closed/],
    ['m.csv', 'Dataset.Invalid', 'uri,labels\na\n', /line 2: labels: expected a list of strings, found none/],
    ['m.parquet', 'Dataset.Invalid', 'PAR1 is not all', /m\.parquet cannot be read as Parquet/],
    [
      'm.jsonl',
      'Dataset.Encoding',
      Buffer.concat([Buffer.from(`${good}\n`), Buffer.from([0x7b, 0xe9, 0x7d])]),
      /m\.jsonl, line 2: not valid UTF-8/,
    ],
    ['m.csv', 'Dataset.Encoding', Buffer.from('uri,labels\na,caf\xe9\n', 'latin1'), /m\.csv, line 2/],
  ])('%s %s %j', async (name, code, content, message) => {
    expect(await failureOf(read(name, content))).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('a manifest that is not there', async () => {
    const missing = all(readManifest(join(folder, 'none.jsonl'), { kind: 'labels' }));
    expect(await failureOf(missing)).toMatchObject({ code: 'Store.NotFound' });
  });
});

it('blocks of whole lines do not depend on how the bytes come', async () => {
  const never = { encoding: (line: number) => new Error(`bad ${line}`), tooLong: () => new Error('long') };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 6 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 9 }),
      async (lines, size) => {
        const bytes = Buffer.from(lines.join('\n'));
        const chunks: Buffer[] = [];
        for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size));
        const blocks = await all(wholeLines(chunks, never));
        const numbered = blocks.flatMap(({ text, line }) => text.split('\n').map((t, i) => [line + i, t]));
        const expected = lines
          .join('\n')
          .replace(/^\ufeff/, '')
          .split('\n')
          .map((text, i) => [i + 1, text]);
        const filled = (rows: unknown[][]) => rows.filter(([, text]) => text !== '');
        expect(filled(numbered)).toEqual(filled(expected));
      },
    ),
  );
  const bad = [Buffer.from('a\nb'), Buffer.from('\nc\n\xff\n', 'latin1')];
  await expect(all(wholeLines(bad, never))).rejects.toThrow('bad 4');
});

describe('URIs of images', () => {
  it.each([
    ['a.jpg', 'file:///data', 'file:///data/a.jpg', 'file:///data', 'a.jpg'],
    [
      '100% ü#?.jpg',
      'file:///a%20b',
      'file:///a%20b/100%25%20%C3%BC%23%3F.jpg',
      'file:///a%20b',
      '100% ü#?.jpg',
    ],
    ['../x/./a.jpg', 'file:///data', 'file:///x/a.jpg', 'file:///x', 'a.jpg'],
    ['/a.jpg', 's3://bucket/data', 'file:///a.jpg', 'file://', 'a.jpg'],
    ['file:///x/../a%20b.jpg', 's3://bucket', 'file:///a%20b.jpg', 'file://', 'a b.jpg'],
    ['a b%20#1.jpg', 's3://bucket', 's3://bucket/a b%20#1.jpg', 's3://bucket', 'a b%20#1.jpg'],
    ['../a/./b.jpg', 's3://bucket/x/y', 's3://bucket/x/a/b.jpg', 's3://bucket', 'x/a/b.jpg'],
    ['S3://bucket//a/../b', 'file:///data', 's3://bucket//a/../b', 's3://bucket', '/a/../b'],
  ])('%s in %s', (uri, base, resolved, store, key) => {
    expect(resolveObjectUri(uri, base)).toBe(resolved);
    expect(splitObjectUri(resolved)).toEqual({ store, key });
  });

  it('lead to the file, whatever its name', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[/\0]|^\.\.?$|:/.test(text) && Buffer.byteLength(text) < 200);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(name, name, async (dir, file) => {
        const base = join(folder, `names-${count++}`);
        await mkdir(join(base, dir), { recursive: true });
        await writeFile(join(base, dir, file), file);
        const uri = resolveObjectUri(`${dir}/${file}`, pathToFileURL(base).href);
        expect(resolveObjectUri(uri, 's3://elsewhere')).toBe(uri);
        const { store, key } = splitObjectUri(uri);
        expect(Buffer.from((await openStore(store).get(key)).body).toString()).toBe(file);
      }),
      { numRuns: 100 },
    );
    const atRoot = splitObjectUri(pathToFileURL('/etc').href);
    expect(openStore(atRoot.store).describeKey(atRoot.key)).toBe('file:///etc');
  });
});

describe('in a bucket', () => {
  let server: TestS3;
  beforeAll(async () => {
    server = await startTestS3();
  });
  afterAll(() => server.stop());

  it('is read in ranges, and its images lie beside it', async () => {
    const store = { env: server.env };
    const output = openStore('s3://bucket/sets', store);
    const lines = Array.from({ length: 200_000 }, (_, i) => `images/${i} #%.jpg,dog|cat ${i % 7}`);
    await output.put('train data.csv', `uri,labels\n${lines.join('\n')}\n`);
    let count = 0;
    for await (const row of readManifest('s3://bucket/sets/train data.csv', { kind: 'labels', store })) {
      if (count % 50_000 === 0)
        expect(row).toMatchObject({
          place: `line ${count + 2}`,
          uri: `s3://bucket/sets/images/${count} #%.jpg`,
          labels: ['dog', `cat ${count % 7}`],
        });
      count++;
    }
    expect(count).toBe(lines.length);
    await output.put('images/0 #%.jpg', 'an image');
    const address = splitObjectUri('s3://bucket/sets/images/0 #%.jpg');
    const { body } = await openStore(address.store, store).get(address.key);
    expect(Buffer.from(body).toString()).toBe('an image');
  });
});
