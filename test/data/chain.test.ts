/** What a chain of runs has come to, by the SQL of `view` and by compaction, on a real S3 server. */
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../data/failure.ts';
import { readChain } from '../../data/chain/chain.ts';
import { compactParts } from '../../data/chain/compact.ts';
import type { CompactFormat } from '../../data/chain/compactRecord.ts';
import { TRANSIENT_CODES } from '../../data/run/failureCodes.ts';
import type { TagSpec } from '../../data/run/record.ts';
import { viewRunOf, viewSql } from '../../data/chain/viewSql.ts';
import { openStore as openAnyStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { queryDuckDb, type Plain } from '../parquet/otherReaders.ts';
import { BAD, runInProcess } from '../support/runs/chainRuns.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { wrapStore } from '../support/runs/shardBench.ts';

let s3: TestS3;
beforeAll(async () => {
  s3 = await startTestS3();
});
afterAll(() => s3.stop());

const openStore = (uri: string): ObjectStore => openAnyStore(uri, { env: s3.env });
/** The server keeps an object as a file, so that DuckDB can read it without an extension. */
const pathOf = (uri: string): string => uri.replace('s3://', `${s3.dir}/`);

/** Everything of a row but when the object was put: one put again with the same bytes is the same object. */
const STATE = 'source, key, etag, size_bytes, width, height, tags, code, message, attempts';

const viewed = async (output: ObjectStore): Promise<Plain[]> => {
  const sql = viewSql((await readChain(output, openStore)).map(viewRunOf), pathOf);
  return queryDuckDb('', `SELECT ${STATE} FROM (\n${sql}\n) ORDER BY source, key`);
};

const PLAIN: CompactFormat = {
  layout: 'rows',
  partitionBy: null,
  partRows: 1000,
  rowGroupRows: null,
  compression: 'snappy',
  embedding: 'fp32',
};

/** Compacts a chain with small parts and reads the data set back. */
async function compacted(output: ObjectStore, into: ObjectStore): Promise<Plain[]> {
  const metadata = { run: 'r', model: 'm', vocabulary: 'v', scores: 'raw' };
  const chain = await readChain(output, openStore);
  await compactParts(chain, into, { format: { ...PLAIN, partRows: 2 }, metadata, report: () => undefined });
  const parts = (kind: string): string => `'${join(pathOf(into.uri), kind, '*.parquet')}'`;
  return queryDuckDb(
    '',
    `SELECT ${STATE} FROM (FROM ${parts('tags')} UNION ALL BY NAME FROM ${parts('failures')})`,
  );
}

/** What happens to an object of the first or second source: it gets this content, or it goes. */
type Operation = { of: number; at: number; content: string | null };
interface History {
  /** Before each of the four runs, and in the first three of them between plan and fetch. */
  before: Operation[][];
  during: Operation[][];
  /** Keys that may not be read in either source until the retry. */
  forbidden: number[];
  /** The retry comes after this many runs. */
  retryAfter: number;
  /** Runs that there are without the second source. */
  joinsAfter: number;
}

const KEYS = ['a.jpg', 'a/b c.jpg', 'a/é.jpg', "it's.png", 'z#%2F.jpg', '犬.webp', '😀.jpg', '\uffee.jpg'];

/** An object goes before it is fetched, is gone when it is tried again, and comes back as it was. */
const GONE_AND_BACK: History = {
  before: [[{ of: 0, at: 0, content: 'one' }], [{ of: 0, at: 0, content: 'one' }], [], []],
  during: [[{ of: 0, at: 0, content: null }], [], []],
  forbidden: [],
  retryAfter: 1,
  joinsAfter: 1,
};

/** The same key in both sources: each is removed, replaced or tried again without the other. */
const SAME_KEYS: History = {
  before: [
    [0, 1].flatMap((of) => [0, 1, 2, 3].map((at) => ({ of, at, content: at === 3 ? BAD : 'one' }))),
    [
      { of: 0, at: 0, content: null },
      { of: 1, at: 1, content: 'two' },
    ],
    [{ of: 1, at: 2, content: null }],
    [{ of: 0, at: 3, content: 'good' }],
  ],
  during: [[], [], []],
  forbidden: [1, 2],
  retryAfter: 2,
  joinsAfter: 0,
};

const operations = fc.array(
  fc.record({
    of: fc.nat({ max: 1 }),
    at: fc.nat({ max: KEYS.length - 1 }),
    content: fc.option(fc.constantFrom('one', 'two', 'three', `${BAD} one`, `${BAD} two`), { freq: 3 }),
  }),
  { maxLength: 5 },
);
const histories: fc.Arbitrary<History> = fc.record({
  before: fc.array(operations, { minLength: 4, maxLength: 4 }),
  during: fc.array(operations, { minLength: 3, maxLength: 3 }),
  forbidden: fc.uniqueArray(fc.nat({ max: KEYS.length - 1 }), { maxLength: 4 }),
  retryAfter: fc.integer({ min: 1, max: 4 }),
  joinsAfter: fc.nat({ max: 3 }),
});

let serial = 0;

/** A bucket's life while a full run, three incremental ones and a retry are made of it. Returns the last of them. */
async function live({ before, during, forbidden, retryAfter, joinsAfter }: History): Promise<{
  sources: ObjectStore[];
  last: ObjectStore;
  root: string;
}> {
  const root = `s3://bucket/life-${serial++}`;
  // The second one comes first in the order of a run, so when it joins, the first is no longer number 0.
  const sources = ['images', 'Images'].map((name) => openStore(`${root}/${name}`));
  const denied = new Set(forbidden.map((at) => KEYS[at]!));
  const deny = (key: string): void => {
    if (denied.has(key)) throw new Failure('Store.Forbidden', `${key} may not be read.`);
  };
  const guarded = sources.map((source) =>
    wrapStore(source, {
      head: async (key) => (deny(key), source.head(key)),
      get: async (key, options) => (deny(key), source.get(key, options)),
    }),
  );
  const apply = async (steps: readonly Operation[]): Promise<void> => {
    for (const { of, at, content } of steps)
      await (content === null ? sources[of]!.delete([KEYS[at]!]) : sources[of]!.put(KEYS[at]!, content));
  };
  for (const source of sources) await source.put('always.jpg', 'there');

  let last: ObjectStore | undefined;
  let joined = 1;
  const run = async (name: string, spec: Partial<TagSpec>, planned?: () => Promise<void>): Promise<void> => {
    const output = openStore(`${root}/${name}`);
    await runInProcess(guarded.slice(0, joined), output, { openStore, spec, ...(planned && { planned }) });
    last = output;
  };
  for (const at of before.keys()) {
    if (at >= joinsAfter) joined = 2;
    await apply(before[at]!);
    // What fails once all may be read again would be a failure that nothing tries again.
    const meanwhile = at < retryAfter ? (during[at] ?? []) : [];
    await run(`run-${at}`, { since: last?.uri ?? null }, () => apply(meanwhile));
    if (at + 1 !== retryAfter) continue;
    denied.clear();
    await run('retry', { retry: { parent: last!.uri, codes: [...TRANSIENT_CODES] } });
  }
  return { sources, last: last!, root };
}

test('three chained incremental runs over two sources and a retry give, through view and compacted, what one full run gives', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const { sources, last, root } = await live(history);
      const full = openStore(`${root}/full`);
      await runInProcess(sources, full, { openStore });
      const state = await viewed(full);
      expect(await viewed(last)).toEqual(state);
      expect(await compacted(last, openStore(`${root}/compact`))).toEqual([
        ...state.filter((row) => !isFailed(row)),
        ...state.filter(isFailed),
      ]);
    }),
    { numRuns: 12, examples: [[GONE_AND_BACK], [SAME_KEYS]] },
  );
}, 600_000);

const isFailed = (row: Plain): boolean => (row as { code: Plain }).code !== null;
