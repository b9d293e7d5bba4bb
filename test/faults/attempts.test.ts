/** What becomes of a shard when several attempts work on it, and when its images or the store change under them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tagShard } from '../../activities/tag/tagShard.ts';
import type { DecodePool } from '../../data/images/decodePool.ts';
import { partKey, receiptKey, spooledPartKey } from '../../data/run/layout.ts';
import { readReceipt } from '../../data/run/receipt.ts';
import { Failure } from '../../data/failure.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { corpusOf, putCorpus, type Expected } from '../support/corpus.ts';
import { startFaultyProxy } from '../support/servers/faultyProxy.ts';
import { readRows } from '../support/runs/runRows.ts';
import { failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';
import {
  attemptOptions,
  brightnessTagger,
  shardContext,
  shardDecoder,
  wrapStore,
} from '../support/runs/shardBench.ts';

let s3: TestS3;
let decoder: DecodePool;
let folder: string;
beforeAll(async () => {
  s3 = await startTestS3();
  decoder = shardDecoder();
  folder = await mkdtemp(join(tmpdir(), 'c2srt-attempts-'));
});
afterAll(async () => {
  await Promise.all([decoder.close(), s3.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe.each(['file', 's3'])('on %s://', (scheme) => {
  let serial = 0;
  let source: ObjectStore;
  let output: ObjectStore;
  let expected: Expected;
  beforeEach(async () => {
    const at = (name: string) =>
      scheme === 's3'
        ? openStore(`s3://bucket/${++serial}-${name}`, { env: s3.env })
        : openStore(join(folder, `${++serial}-${name}`));
    [source, output] = [at('in'), at('out')];
    expected = await putCorpus(source, 24, 0.25);
  });

  const outcomesOf = async (): Promise<Map<string, string | null>> => {
    const { tags, failures } = await readRows(output);
    return new Map([
      ...tags.map(({ key }) => [key, null] as const),
      ...failures.map(({ key, code }) => [key, code as string] as const),
    ]);
  };
  const bytesOf = async (key: string): Promise<Buffer> => Buffer.from((await output.get(key)).body);

  it('a zombie that commits after its successor changes nothing', async () => {
    const held = Promise.withResolvers<undefined>();
    const atCommit = Promise.withResolvers<undefined>();
    const late = wrapStore(output, {
      async put(key, ...rest) {
        if (key === receiptKey(0)) {
          atCommit.resolve(undefined);
          await held.promise;
        }
        return output.put(key, ...rest);
      },
    });
    // Another brightness: where a loser's bytes got into place, they would be seen.
    const zombie = tagShard(
      await shardContext(source, late, decoder),
      0,
      attemptOptions('zombie', { tagger: brightnessTagger(2) }),
    );
    await atCommit.promise;
    const run = await shardContext(source, output, decoder);
    const won = await tagShard(run, 0, attemptOptions('successor', { attemptNumber: 2 }));
    const before = await Promise.all([bytesOf(partKey('tags', 0)), bytesOf(partKey('failures', 0))]);
    held.resolve(undefined);

    expect(await zombie).toEqual(won);
    expect(won.attempt).toBe('successor');
    expect(await readReceipt(output, 0)).toEqual(won);
    expect(await Promise.all([bytesOf(partKey('tags', 0)), bytesOf(partKey('failures', 0))])).toEqual(before);
    expect(await bytesOf(spooledPartKey(0, 'zombie', 'tags'))).not.toEqual(before[0]);
    expect(await outcomesOf()).toEqual(expected);
  });

  it('a receipt without its copies is completed by the next attempt', async () => {
    const cut = wrapStore(output, { copy: () => Promise.reject(new Failure('Store.Unavailable', 'gone')) });
    const lost = tagShard(await shardContext(source, cut, decoder), 0, attemptOptions('first'));
    expect(await failureOf(lost)).toMatchObject({ code: 'Store.Unavailable' });
    const run = await shardContext(source, output, decoder);
    expect((await tagShard(run, 0, attemptOptions('second'))).attempt).toBe('first');
    expect(await outcomesOf()).toEqual(expected);
  });

  it('an image changed or deleted since it was planned is a failure row', async () => {
    const run = await shardContext(source, output, decoder);
    const [changed, deleted, empty] = corpusOf(24, 0.25)
      .filter(({ code }) => code === null)
      .map(({ key }) => key) as [string, string, string];
    await source.put(changed, 'other bytes of another length');
    await source.put(empty, '');
    await source.delete([deleted]);
    await tagShard(run, 0, attemptOptions('only', { attemptNumber: 3 }));
    expect(await outcomesOf()).toEqual(
      new Map([
        ...expected,
        [changed, 'Store.Changed'],
        [empty, 'Store.Changed'],
        [deleted, 'Store.NotFound'],
      ]),
    );
    for (const row of (await readRows(output)).failures) {
      expect(row['attempts']).toBe(3);
      expect(row['message']).toContain(row.key === deleted ? deleted : '');
    }
  });

  it('a store that is down fails the attempt, and the next one goes on from its spool', async () => {
    let reads = 0;
    const breaking = wrapStore(source, {
      get: (...given) =>
        ++reads > 12
          ? Promise.reject(new Failure('Store.Unavailable', 'down', { retryable: true }))
          : source.get(...given),
    });
    const first = tagShard(await shardContext(breaking, output, decoder), 0, attemptOptions('first'));
    expect(await failureOf(first)).toMatchObject({ code: 'Store.Unavailable', retryable: true });

    let readAgain = 0;
    const counting = wrapStore(source, { get: (...given) => (readAgain++, source.get(...given)) });
    const run = await shardContext(counting, output, decoder);
    await tagShard(run, 0, attemptOptions('second', { attemptNumber: 2 }));
    // At most one image per lane was fetched and not decoded when the work stopped.
    expect(readAgain).toBeLessThanOrEqual(24 - 12 + run.concurrency);
    expect(await outcomesOf()).toEqual(expected);
  });

  it('an attempt that is told to stop spools what it has scored', async () => {
    const stop = new AbortController();
    let scored = 0;
    const tagger = brightnessTagger();
    const run: typeof tagger.run = (pixels) => {
      if (++scored === 2) stop.abort(new Error('shutdown'));
      return tagger.run(pixels);
    };
    const options = attemptOptions('first', { signal: stop.signal, tagger: { ...tagger, run } });
    const stopped = tagShard(await shardContext(source, output, decoder), 0, options);
    expect((await failureOf(stopped)).message).toBe('shutdown');

    let rest = 0;
    const second = brightnessTagger();
    const counted: typeof second.run = (pixels) => {
      rest += pixels.length;
      return second.run(pixels);
    };
    await tagShard(
      await shardContext(source, output, decoder),
      0,
      attemptOptions('second', { tagger: { ...second, run: counted } }),
    );
    expect(rest / (8 * 8 * 3)).toBeLessThanOrEqual(18 - 8);
    expect(await outcomesOf()).toEqual(expected);
  });
});

it('an attempt whose receipt was put, but the answer to it lost, knows the receipt for its own', async () => {
  const proxy = await startFaultyProxy(s3.endpoint);
  try {
    const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const source = openStore('s3://bucket/lost-answer/in', { env });
    const output = openStore('s3://bucket/lost-answer/out', { env });
    await putCorpus(source, 12, 0);
    const run = await shardContext(source, output, decoder);
    let lost = 0;
    proxy.fault = (line) =>
      line.startsWith('PUT') && line.includes('/_receipts/') && lost++ === 0 ? 'loseAnswer' : 'pass';
    const receipt = await tagShard(run, 0, attemptOptions('mine'));
    expect(lost).toBeGreaterThanOrEqual(2);
    expect(receipt).toMatchObject({ attempt: 'mine', tags: { rows: 12 } });
    expect((await readRows(output)).tags).toHaveLength(12);
  } finally {
    await proxy.stop();
  }
});
