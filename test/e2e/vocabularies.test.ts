/** Several vocabularies in one run, from the command line, on a real S3 server: the rows of a run with each alone. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readInfo } from '../../data/parquet/read.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { applyCalibration, type Calibration } from '../../model/calibration.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { corpusOf, putCorpus } from '../support/corpus.ts';
import { writeTrainedModel } from '../support/headModel.ts';
import { expectAccounted, readRows, type Row } from '../support/runs/runRows.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 40;
const ANIMALS = ['dog', 'wolf', 'sheep', 'automobile'];
const CALIBRATION: Calibration = {
  version: 1,
  slope: 3,
  intercept: 0.25,
  thresholds: {},
  fallbackThreshold: 0.5,
};

let place: Workplace;
let s3: TestS3;
let temporal: LocalTemporal;
let source: ObjectStore;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  source = store('images');
  await putCorpus(source, IMAGES, 0.2);
  const edge = { source: 'dog', target: 'sheep', relation: 'co-occurrence', strength: 0.4 } as const;
  writeTrainedModel(place.path('model'), { categories: ['dog', 'wolf', 'car'], edges: [edge], head: true });
  await writeFile(place.path('model/calibration.json'), JSON.stringify(CALIBRATION));
  await writeFile(place.path('animals.txt'), ANIMALS.join('\n'));
  await writeFile(
    place.path('food.json'),
    JSON.stringify(['cake', { name: 'dog', prompts: ['a hot {}'], threshold: 0 }, 'apple', 'bread', 'soup']),
  );
  const given = { source: 'car', target: 'cake', relation: 'functional', strength: 1 };
  await writeFile(place.path('graph.json'), JSON.stringify({ edges: [given] }));
});
afterAll(async () => {
  await temporal.stop();
  await Promise.all([place.clear(), s3.stop()]);
});

const store = (name: string): ObjectStore => openStore(`s3://bucket/${name}`, { env: s3.env });

const c2srt = (...args: string[]): Promise<CliResult> =>
  runCli(args, {
    cwd: place.dir,
    env: {
      ...s3.env,
      // No extension of DuckDB can be installed there, so nothing is asked of anyone for it.
      HOME: '/dev/null',
      C2SRT_CACHE: process.env['C2SRT_CACHE'] ?? join(process.env['HOME']!, '.cache', 'c2srt'),
    },
  });
const tag = (out: string, ...flags: string[]): Promise<CliResult> =>
  c2srt(
    ...['tag', source.uri, '--model', 'model', '--shard-size', '15', '--max-failure-rate', '1'],
    ...['--out', store(out).uri, '--json', ...flags],
  );
const BOTH = ['--categories', 'food.json', '--categories', 'zoo=animals.txt', '--graph', 'food=graph.json'];
const BOTH_REVERSED = ['--graph', 'food=graph.json'].concat(
  ['--categories', 'zoo=animals.txt'],
  ['--categories', 'food.json'],
);
const LIMITS = ['--top-k', 'food=3', '--threshold', 'zoo=0.1'];

const query = async (run: string, sql: string): Promise<Record<string, unknown>[]> => {
  const result = await c2srt('query', store(run).uri, sql, '--json');
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as Record<string, unknown>[];
};
const STATE = 'key, etag, size_bytes, width, height, tags, code, message, attempts';
const current = (run: string) => query(run, `SELECT ${STATE} FROM current ORDER BY key`);

type Tags = { vocabulary: string | null; label: string; score: number; raw_score: number }[];
const tagsOf = (row: Row): Tags => row['tags'] as Tags;
/** Rows as a run with that vocabulary alone has them. */
const only = (rows: readonly Row[], vocabulary: string): Row[] =>
  rows.map((row) => {
    const own = tagsOf(row).filter((tag) => tag.vocabulary === vocabulary);
    return { ...row, tags: own.map((tag) => ({ ...tag, vocabulary: null })) };
  });

it('has the rows of a run with each vocabulary alone, with calibrated and raw scores', async () => {
  const expected = new Map(corpusOf(IMAGES, 0.2).map(({ key, code }) => [key, code]));
  const joint = await tag('joint', ...BOTH, ...LIMITS, '--embedding');
  expect(joint.code, joint.stderr).toBe(3);
  expect(jsonOf(joint)).toMatchObject({ images: IMAGES, scores: 'calibrated' });
  const zoo = await tag('zoo', '--categories', 'animals.txt', '--threshold', '0.1', '--embedding');
  expect(zoo.code, zoo.stderr).toBe(3);
  const alone = ['--categories', 'food.json', '--graph', 'graph.json', '--top-k', '3', '--embedding'];
  expect((await tag('food', ...alone)).code).toBe(3);

  const rows = await expectAccounted(store('joint'), expected, 'images/');
  expect(only(rows.tags, 'zoo')).toEqual((await readRows(store('zoo'))).tags);
  expect(only(rows.tags, 'food')).toEqual((await readRows(store('food'))).tags);
  for (const row of rows.tags) {
    const tags = tagsOf(row);
    expect(tags.map(({ vocabulary }) => vocabulary)).toEqual([
      ...Array<string>(3).fill('food'),
      ...Array<string>(tags.length - 3).fill('zoo'),
    ]);
    for (const { score, raw_score: raw } of tags) expect(score).toBe(applyCalibration(raw, CALIBRATION));
  }
  // The sample is of all images, so what it says of them is not a guess.
  const tagCount = rows.tags.reduce((sum, row) => sum + tagsOf(row).length, 0);
  const dry = await tag('dry', ...BOTH, ...LIMITS, '--embedding', '--dry-run');
  expect(jsonOf(dry)).toMatchObject({
    images: IMAGES,
    sample: { tagged: rows.tags.length, tagsPerImage: tagCount / rows.tags.length },
  });

  const { body } = await store('joint').get('tags/part-000000.parquet');
  const { metadata } = await readInfo(body);
  expect(metadata['c2srt.scores']).toBe('calibrated');
  expect(metadata['c2srt.vocabulary']).toMatch(/^[0-9a-f]{64},[0-9a-f]{64}$/);
}, 240_000);

it('the same command says that it is finished, another limit is another run', async () => {
  const again = await tag('joint', ...BOTH_REVERSED, ...LIMITS, '--embedding');
  expect(again.code, again.stderr).toBe(0);
  expect(jsonOf(again)).toMatchObject({ images: IMAGES, seconds: 0, scores: 'calibrated' });
  const other = await tag('joint', ...BOTH, '--top-k', 'food=2', '--threshold', 'zoo=0.1', '--embedding');
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/\n {2}vocabularies\.0\.topK: 3 -> 2\n/);
});

it('incremental runs and retries go on with all vocabularies, and the view is what a full run gives', async () => {
  const [changed, gone] = corpusOf(IMAGES, 0.2).filter(({ code }) => code === null);
  await source.put(changed!.key, corpusOf(IMAGES, 0.2).at(-2)!.body);
  await source.delete([gone!.key]);
  await source.put('new.jpg', gone!.body);
  const later = await tag('later', ...BOTH, ...LIMITS, '--embedding', '--since', store('joint').uri);
  expect(later.stderr).not.toContain('other categories');
  expect(jsonOf(later)).toMatchObject({ images: 2, tagged: 2 });
  const retried = await c2srt(
    ...['retry-failures', store('later').uri, '--out', store('retried').uri, '--codes', 'all', '--json'],
  );
  expect(retried.code, retried.stderr).toBe(3);
  expect((await tag('anew', ...BOTH, ...LIMITS, '--embedding')).code).toBe(3);
  const state = await current('anew');
  expect(await current('later')).toEqual(state);
  expect(await current('retried')).toEqual(state);

  const other = await tag('other', '--categories', 'animals.txt', '--since', store('later').uri, '--dry-run');
  expect(other).toMatchObject({ code: 0, stderr: '' });
  const told = await c2srt(
    ...['tag', source.uri, '--model', 'model', '--out', store('other').uri, '--dry-run'],
    ...['--categories', 'animals.txt', '--since', store('later').uri],
  );
  expect(told.stderr).toMatch(/was asked other categories/);
}, 240_000);

it('compacted to a row per tag, ranks count within a vocabulary', async () => {
  const made = await c2srt(
    ...['compact', store('retried').uri, '--out', store('long').uri, '--layout', 'long', '--json'],
  );
  expect(made.code, made.stderr).toBe(0);
  const found = await query(
    'long',
    'SELECT key, vocabulary, label, score, raw_score, rank FROM tags ORDER BY ALL',
  );
  const expected = await query(
    'retried',
    `SELECT key, tag.vocabulary AS vocabulary, tag.label AS label, tag.score AS score, tag.raw_score AS raw_score,
       row_number() OVER (PARTITION BY key, tag.vocabulary ORDER BY tag.raw_score DESC) AS rank
     FROM (SELECT key, unnest(tags) AS tag FROM current) ORDER BY ALL`,
  );
  expect(found).toEqual(expected);
  expect(new Set(found.map(({ vocabulary, rank }) => `${String(vocabulary)} ${String(rank)}`)).size).toBe(
    3 + ANIMALS.length,
  );
}, 120_000);

it('a sample is of a label in one vocabulary, or in any: then an image comes once', async () => {
  const sample = async (dir: string, ...flags: string[]): Promise<Record<string, unknown>[]> => {
    const args = ['sample', store('retried').uri, '--label', 'dog', '--n', '100', '--out', dir, ...flags];
    const result = await c2srt(...args);
    expect(result.code, result.stderr).toBe(0);
    const lines = (await readFile(place.path(dir, 'index.jsonl'), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const rows = (await readRows(store('anew'))).tags;
  const dogs = (vocabulary?: string) =>
    rows.flatMap((row) => {
      const found = tagsOf(row).filter(
        (tag) => tag.label === 'dog' && (vocabulary === undefined || tag.vocabulary === vocabulary),
      );
      return found.length > 0 ? [{ key: row.key, score: Math.max(...found.map(({ score }) => score)) }] : [];
    });
  for (const vocabulary of [undefined, 'food', 'zoo']) {
    const flags = vocabulary === undefined ? [] : ['--vocabulary', vocabulary];
    const found = await sample(`dogs-${vocabulary ?? 'any'}`, ...flags);
    const byKey = (a: { key: string }, b: { key: string }) =>
      Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
    expect(found.map(({ key, score }) => ({ key: key as string, score })).sort(byKey)).toEqual(
      dogs(vocabulary).sort(byKey),
    );
    if (vocabulary !== undefined) for (const line of found) expect(line['vocabulary']).toBe(vocabulary);
  }
}, 120_000);
