/** The main job from the command line to the Parquet files, on a folder and on a real S3 server. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { corpusOf, putCorpus, writeCorpus, type Expected } from '../support/corpus.ts';
import { expectAccounted, queryRows, type Row } from '../support/runs/runRows.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 1000;
const SUMMARY_FIELDS = [
  'run',
  'images',
  'tagged',
  'failed',
  'failuresByCode',
  'parts',
  'scores',
  'output',
  'seconds',
];

let place: Workplace;
let s3: TestS3;
let temporal: LocalTemporal;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  // Commands attach to this server instead of starting one each.
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  const { categories } = JSON.parse(
    readFileSync(new URL('../golden/tiny/text.json', import.meta.url), 'utf8'),
  ) as { categories: string[] };
  await writeFile(place.path('categories.txt'), categories.join('\n'));
});
afterAll(async () => {
  await temporal.stop();
  await Promise.all([place.clear(), s3.stop()]);
});

function tag(source: string, out: string, ...flags: string[]): Promise<CliResult> {
  return runCli(
    [
      'tag',
      source,
      '--categories',
      'categories.txt',
      '--out',
      out,
      '--model',
      TINY_MODEL,
      '--json',
      ...flags,
    ],
    { cwd: place.dir, env: s3.env },
  );
}

const countCodes = (expected: Expected): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const code of expected.values()) if (code !== null) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
};

describe('a corpus of good and bad files', () => {
  let inFolder: { tags: Row[]; failures: Row[] };

  it('in a folder is accounted for, and the same command again says so', async () => {
    const expected = await writeCorpus(place.path('images'), IMAGES, 0.4);
    const result = await tag('images', 'out', '--shard-size', '150', '--embedding');
    expect(result).toMatchObject({ code: 3, stderr: '' });
    const summary = jsonOf(result);
    const output = openStore(pathToFileURL(place.path('out')).href);
    const failed = [...expected.values()].filter((code) => code !== null).length;
    expect(Object.keys(summary)).toEqual(SUMMARY_FIELDS);
    expect(summary).toMatchObject({
      images: IMAGES,
      tagged: IMAGES - failed,
      failed,
      failuresByCode: countCodes(expected),
      parts: 7,
      output: output.uri,
    });

    inFolder = await expectAccounted(output, expected);
    expect(inFolder.tags[0]!['embedding']).toHaveLength(32);
    expect(await queryRows(output, 'tags', place.dir)).toEqual(inFolder.tags);
    expect(await queryRows(output, 'failures', place.dir)).toEqual(inFolder.failures);

    const again = await tag('images', 'out', '--shard-size', '150', '--embedding');
    expect(again.code).toBe(0);
    expect(jsonOf(again)).toEqual({ ...summary, seconds: 0 });
  }, 240_000);

  it('in a bucket gives the same rows, bit for bit, at another batch size and parallelism', async () => {
    const expected = await putCorpus(openStore('s3://bucket/corpus', { env: s3.env }), IMAGES, 0.4);
    const result = await tag(
      's3://bucket/corpus',
      's3://bucket/runs/out',
      ...['--shard-size', '400', '--embedding', '--batch-size', '5', '--threads', '1'],
      ...['--shard-slots', '3', '--decode-processes', '3', '--fetch-concurrency', '7'],
    );
    expect(result).toMatchObject({ code: 3, stderr: '' });
    expect(jsonOf(result)).toMatchObject({ images: IMAGES, failuresByCode: countCodes(expected), parts: 3 });

    const output = openStore('s3://bucket/runs/out', { env: s3.env });
    const rows = await expectAccounted(output, expected, 'corpus/');
    const content = (row: Row, prefix = ''): unknown => {
      const { key, size_bytes: size, width, height, tags, embedding, code } = row;
      return { key: key.slice(prefix.length), size, width, height, tags, embedding, code };
    };
    for (const kind of ['tags', 'failures'] as const) {
      expect(rows[kind].map((row) => content(row, 'corpus/'))).toEqual(
        inFolder[kind].map((row) => content(row)),
      );
    }
  }, 240_000);
});

it('takes only what the globs name', async () => {
  const result = await tag('images', 'out-some', '--include', '*.png', '*.webp', '--exclude', 'a/**');
  const keys = corpusOf(IMAGES, 0.4).filter(({ key }) => /\.(png|webp)$/.test(key) && !key.startsWith('a/'));
  await expectAccounted(openStore(place.path('out-some')), new Map(keys.map(({ key, code }) => [key, code])));
  expect(jsonOf(result)).toMatchObject({ images: keys.length });
});

it('ends with 0 where every image was tagged', async () => {
  const expected = await writeCorpus(place.path('good'), 20, 0);
  const result = await tag('good', 'out-good');
  expect(result.code).toBe(0);
  await expectAccounted(openStore(place.path('out-good')), expected);
});

it('finishes a run of no images', async () => {
  await mkdir(place.path('empty'));
  const result = await tag('empty', 'out-empty');
  expect(result.code).toBe(0);
  expect(jsonOf(result)).toMatchObject({ images: 0, tagged: 0, failed: 0, failuresByCode: {}, parts: 0 });
  await expectAccounted(openStore(place.path('out-empty')), new Map());
});

it.each([
  ['an output inside the source', ['good', 'good/out'], /lies inside the source/],
  ['other inputs for the folder of a run', ['empty', 'out-good'], /sources\.0\.uri: .*good.* -> .*empty/],
  ['a source that is not there', ['nowhere', 'out-none'], /nowhere/],
  ['a bucket that is not there', ['s3://nothing-here', 'out-none'], /nothing-here/],
])('refuses %s', async (_, [source, out], message) => {
  const result = await tag(source!, out!);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
});
