/** Runs of earlier releases, some of whose parts are of an earlier schema, in views and queries. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rowsSql, viewSql, type ViewRun } from '../../data/chain/viewSql.ts';
import { encodeFailureRows, encodeTagRows } from '../../data/parquet/write.ts';
import { partKey } from '../../data/run/layout.ts';
import { openStore } from '../../data/store/open.ts';
import { queryDuckDb } from '../parquet/otherReaders.ts';
import { METADATA, plainTagRows } from '../parquet/rows.ts';

const FIXTURES = new URL('../parquet/fixtures/', import.meta.url);
const SOURCE = 's3://bucket/photos';

let dir: string;
const runOf = (name: string, isOfEarlierRelease: boolean): ViewRun => ({
  id: name,
  uri: openStore(join(dir, name)).uri,
  hasParts: true,
  hasDeletions: false,
  isPartitioned: false,
  sources: [SOURCE],
  isOfEarlierRelease,
});

/** A tag as it is written today, of an image that no fixture has. */
const TODAY = {
  ...plainTagRows(9, 0, 1)[8]!,
  tags: [{ label: 'dog', score: 0.75, rawScore: 0.25, vocabulary: 'zoo' }],
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-earlier-'));
  const put = async (run: string, parts: readonly Uint8Array[]): Promise<void> => {
    const output = openStore(join(dir, run));
    const none = encodeFailureRows([], { metadata: METADATA });
    for (const [shard, tags] of parts.entries()) {
      await output.put(partKey('tags', shard), tags);
      await output.put(partKey('failures', shard), none);
    }
  };
  const today = encodeTagRows([TODAY], { embedding: false, metadata: METADATA });
  // A run that a later release went on with has parts of both.
  for (const [run, fixture] of [
    ['first', 'schema-1-tags.parquet'],
    ['second', 'schema-2-tags.parquet'],
  ] as const)
    await put(run, [new Uint8Array(readFileSync(new URL(fixture, FIXTURES))), today]);
  await put('third', [today]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const EARLIER = plainTagRows(3, 2, 5).map(({ key, tags }) => ({
  key,
  source: SOURCE,
  tags: tags.map(({ label, score }) => ({ label, score, raw_score: null, vocabulary: null })),
}));
const LATER = {
  key: TODAY.key,
  source: SOURCE,
  tags: [{ label: 'dog', score: 0.75, raw_score: 0.25, vocabulary: 'zoo' }],
};

test.each(['first', 'second'])('the %s schema has the columns of today', async (name) => {
  const run = runOf(name, true);
  for (const sql of [rowsSql(run, 'tags'), viewSql([run]), viewSql([run, runOf('third', false)])])
    expect(await queryDuckDb('', `SELECT key, source, tags FROM (${sql}) ORDER BY key`)).toEqual([
      ...EARLIER,
      LATER,
    ]);
});
