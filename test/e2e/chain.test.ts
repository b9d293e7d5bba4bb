/** What comes after a run, from the command line, on a real S3 server: retries, the current view, queries, samples. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { corpusOf, putCorpus } from '../support/corpus.ts';
import { installHttpfs } from '../support/programs/duckDbExtension.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { expectAccounted, readRows, type Row } from '../support/runs/runRows.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 60;

let place: Workplace;
let s3: TestS3;
let proxy: FaultyProxy;
let temporal: LocalTemporal;
let source: ObjectStore;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  proxy = await startFaultyProxy(s3.endpoint);
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  source = store('images');
  await cp(TINY_MODEL, place.path('model'), { recursive: true });
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
});
afterAll(async () => {
  await temporal.stop();
  await proxy.stop();
  await Promise.all([place.clear(), s3.stop()]);
});

const store = (name: string): ObjectStore => openStore(`s3://bucket/${name}`, { env: s3.env });

/** No extension can be installed into such a home folder, so nothing is asked of anyone for it. */
const NO_HOME = '/dev/null';

const c2srt = (
  args: readonly string[],
  home = NO_HOME,
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> =>
  runCli(args, {
    cwd: place.dir,
    env: {
      ...s3.env,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      HOME: home,
      ...env,
      C2SRT_CACHE: process.env['C2SRT_CACHE'] ?? join(process.env['HOME']!, '.cache', 'c2srt'),
    },
  });

const tag = (out: string, ...flags: string[]): Promise<CliResult> =>
  c2srt(
    ['tag', source.uri, '--categories', 'categories.txt', '--model', 'model', '--shard-size', '25'].concat([
      '--out',
      store(out).uri,
      '--json',
      ...flags,
    ]),
  );
const retry = (run: string, out: string, ...flags: string[]): Promise<CliResult> =>
  c2srt(['retry-failures', store(run).uri, '--out', store(out).uri, '--json', ...flags]);

const query = async (run: string, sql: string, home?: string): Promise<unknown> => {
  const result = await c2srt(['query', store(run).uri, sql, '--json'], home);
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout);
};

const STATE = 'key, source, version_id, etag, size_bytes, width, height, tags, code, message, attempts';
const currentState = (run: string): Promise<unknown> =>
  query(run, `SELECT ${STATE} FROM current ORDER BY key`);

/** The rows of one run as the current view has them, read without DuckDB. */
async function stateOf(run: string): Promise<unknown> {
  const { tags, failures } = await readRows(store(run));
  const none = { width: null, height: null, tags: null, code: null, message: null, attempts: null };
  const rows = [...tags, ...failures].map((row: Row) => {
    const { last_modified: _, size_bytes: size, ...others } = row;
    return { ...none, ...others, size_bytes: typeof size === 'bigint' ? Number(size) : null };
  });
  return rows.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

it('failures are tried again, the source goes on living, and the view is what a new full run gives', async () => {
  const expected = await putCorpus(source, IMAGES, 0.25);
  const good = corpusOf(IMAGES, 0.25).filter(({ code }) => code === null);
  const forbidden = good.filter((_, i) => i % 9 === 0).map(({ key }) => key);
  const isForbidden = (line: string): boolean => {
    const path = decodeURIComponent(/^(?:GET|HEAD) \/bucket\/images\/([^ ?]*)/.exec(line)?.[1] ?? '');
    return forbidden.includes(path);
  };
  proxy.fault = (line) => (isForbidden(line) ? { status: 403 } : 'pass');
  expect((await tag('full', '--max-failure-rate', '1')).code).toBe(3);
  const before = new Map(expected);
  for (const key of forbidden) before.set(key, 'Store.Forbidden');
  await expectAccounted(store('full'), before, 'images/');

  // Permanent failures stay: only what was forbidden is planned.
  proxy.fault = () => 'pass';
  const retried = await retry('full', 'retried');
  expect(retried.code, retried.stderr).toBe(0);
  expect(jsonOf(retried)).toMatchObject({ images: forbidden.length, tagged: forbidden.length });
  await expectAccounted(store('retried'), new Map(forbidden.map((key) => [key, null])), 'images/');
  const again = await retry('full', 'retried');
  expect(again.code).toBe(0);
  expect(jsonOf(again)).toEqual({ ...jsonOf(retried), seconds: 0 });
  const nothing = await retry('retried', 'nothing');
  expect(nothing.code, nothing.stderr).toBe(0);

  const [gone, changed, ...rest] = good.map(({ key }) => key);
  await source.delete([gone!]);
  await source.put(changed!, good.at(-1)!.body);
  await source.put('new one.jpg', good[3]!.body);
  await source.put(rest[5]!, 'no longer an image');
  expect((await tag('later', '--since', store('retried').uri)).code).toBe(3);
  expect((await tag('anew', '--max-failure-rate', '1')).code).toBe(3);
  const state = await stateOf('anew');
  expect(await currentState('later')).toEqual(state);

  const failed = [...expected.values()].filter((code) => code !== null).length + 1;
  const all = await retry('later', 'all', '--codes', 'all');
  expect(jsonOf(all)).toMatchObject({ images: failed, tagged: 0 });
  expect(await currentState('all')).toEqual(state);
}, 240_000);

describe('of that chain', () => {
  it('the printed view is SQL that names every run', async () => {
    const { code, stdout } = await c2srt(['view', store('later').uri, '--create', 'now']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CREATE OR REPLACE VIEW "now" AS\n/);
    for (const run of ['full', 'retried', 'later'])
      expect(stdout).toContain(`'s3://bucket/${run}/tags/*.parquet'`);
  });

  it('a compacted data set is the same, whole only with its _SUCCESS, and made once', async () => {
    const args = [
      'compact',
      store('later').uri,
      '--out',
      store('compact').uri,
      '--part-rows',
      '20',
      '--json',
    ];
    const made = await c2srt(args);
    expect(made.code, made.stderr).toBe(0);
    const { tags, failures } = await readRows(store('compact'));
    expect(jsonOf(made)).toMatchObject({ tagged: tags.length, failed: failures.length });
    expect(await stateOf('compact')).toEqual(await stateOf('anew'));
    expect(await currentState('compact')).toEqual(await stateOf('anew'));
    proxy.requests.length = 0;
    expect(jsonOf(await c2srt(args))).toEqual(jsonOf(made));
    expect(proxy.requests.filter((line) => line.startsWith('PUT') && line.includes('/tags/'))).toEqual([]);

    await store('compact').delete(['_SUCCESS']);
    const half = await c2srt(['query', store('compact').uri, 'FROM tags']);
    expect(half).toMatchObject({ code: 2, stdout: '' });
    const other = await c2srt([...args, '--part-rows', '30']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/format.partRows: 20 -> 30/);
    expect((await c2srt(args)).code).toBe(0);
    expect(await currentState('compact')).toEqual(await stateOf('anew'));
  }, 120_000);

  it('DuckDB reads the bucket itself where it has its extension', async (context) => {
    const hasExtension = await installHttpfs(place.path('home'));
    // Where everything can be installed, as it can for .ci/run, a missing extension is a mistake there.
    if (!hasExtension && !process.env['CI']) context.skip();
    expect(hasExtension).toBe(true);
    const sql = 'SELECT count(*) AS rows, count(code) AS failed FROM current';
    const counts = await query('later', sql);
    proxy.requests.length = 0;
    const result = await c2srt(['query', store('later').uri, sql, '--json'], place.path('home'));
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual(counts);
    expect(proxy.requests.some((line) => line.includes('tags/part-000000.parquet'))).toBe(true);
  });

  it('queries print tables, CSV and JSON, and DuckDB says what is wrong with one', async () => {
    const sql =
      "SELECT 1 AS one, 'a,\"b\"' AS text, [1, NULL] AS list, NULL AS nothing, DATE '2026-01-02' AS day";
    const of = (...flags: string[]): Promise<CliResult> =>
      c2srt(['query', store('retried').uri, sql, ...flags]);
    expect((await of('--csv')).stdout).toBe(
      'one,text,list,nothing,day\n1,"a,""b""","[1,null]",,2026-01-02\n',
    );
    expect(JSON.parse((await of('--json')).stdout)).toEqual([
      { one: 1, text: 'a,"b"', list: [1, null], nothing: null, day: '2026-01-02' },
    ]);
    expect((await of()).stdout).toMatch(/^one {2}text .*\n1 {4}a,"b" .*\n$/);
    const wrong = await c2srt(['query', store('retried').uri, 'SELECT nope FROM tags']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/nope/);
  });

  it('a sample is the images with the highest scores, or the same random ones for the same seed', async () => {
    const rows = (await stateOf('anew')) as {
      key: string;
      tags: { label: string; score: number }[] | null;
    }[];
    const scores = rows
      .flatMap(({ key, tags }) => (tags ?? []).map(({ label, score }) => ({ key, label, score })))
      .filter(({ label }) => label === 'dog')
      .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    const sample = async (dir: string, ...flags: string[]): Promise<Record<string, unknown>[]> => {
      const args = ['sample', store('later').uri, '--label', 'dog', '--n', '5', '--out', dir, ...flags];
      const result = await c2srt(args);
      expect(result.code, result.stderr).toBe(0);
      const lines = (await readFile(place.path(dir, 'index.jsonl'), 'utf8')).trim().split('\n');
      expect(await readdir(place.path(dir))).toHaveLength(6);
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const best = await sample('best');
    expect(best.map(({ key, score }) => ({ key, score }))).toEqual(
      scores.slice(0, 5).map(({ key, score }) => ({ key, score })),
    );
    const { file, key } = best[0]! as { file: string; key: string };
    const { body } = await source.get(key.slice('images/'.length));
    expect(await readFile(place.path('best', file))).toEqual(Buffer.from(body));
    expect(await sample('any', '--random', '--seed', '7')).toEqual(
      await sample('same', '--random', '--seed', '7'),
    );

    await source.put(key.slice('images/'.length), 'other bytes');
    const gone = await c2srt(['sample', store('later').uri, '--label', 'dog', '--n', '1', '--out', 'gone']);
    expect(gone.code).toBe(3);
    expect(gone.stderr).toContain('Store.Changed');
  }, 120_000);

  it('a retry by another model than its parent is refused', async () => {
    await writeFile(place.path('model/prompts.json'), JSON.stringify(['another {}']));
    const result = await retry('later', 'other-model', '--codes', 'all');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('Model.Changed');
  });

  it('without DuckDB a query says what is missing', async () => {
    const hook =
      'import{registerHooks}from"node:module";registerHooks({resolve(s,c,n){if(s.startsWith("@duckdb"))throw Error();return n(s,c)}})';
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` };
    const result = await c2srt(['query', store('later').uri, 'FROM tags'], NO_HOME, env);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('Setup.DuckDb');
    expect((await c2srt(['view', store('later').uri], NO_HOME, env)).code).toBe(0);
  });

  it.each([
    [
      'a code that is none',
      ['retry-failures', 's3://bucket/full', '--out', 'x', '--codes', 'Image.Odd'],
      /Image\.Odd/,
    ],
    ['a folder without a run', ['view', 's3://bucket/images'], /holds no run/],
    [
      'the folder of a run to compact into',
      ['compact', 's3://bucket/later', '--out', 's3://bucket/full'],
      /holds run/,
    ],
    [
      'other codes for the same folder',
      ['retry-failures', 's3://bucket/full', '--out', 's3://bucket/retried', '--codes', 'all'],
      /retry\.codes/,
    ],
  ])('%s is refused', async (_, args, message) => {
    const result = await c2srt(args);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});
