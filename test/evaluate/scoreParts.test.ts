/** Scores of shards, written and read back a block of categories at a time, in a folder and on S3. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scoresKey } from '../../data/evaluation/evaluateLayout.ts';
import {
  commitScores,
  readRows,
  readScoredImages,
  readScoredShards,
  TENSORS,
  type ScoreReceipt,
} from '../../data/evaluation/scoreParts.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const CATEGORIES = 5;
const SHARD_SIZE = 8;

let place: Workplace;
let s3: TestS3;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
});
afterAll(async () => {
  await place.clear();
  await s3.stop();
});

/** The score of category c for image i of a shard. */
const score = (c: number, shard: number, i: number): number => c + shard / 10 + i / 1000;

function commit(output: ObjectStore, shard: number, images: number, attempt = 'a'): Promise<ScoreReceipt> {
  const values = Float32Array.from({ length: CATEGORIES * images }, (_, at) =>
    score(Math.floor(at / images), shard, at % images),
  );
  const failed = Array.from({ length: SHARD_SIZE - images }, (_, i) => ({
    ...{ at: images + i, uri: `file:///${shard}/${i}.jpg`, code: 'Image.Corrupt' },
  }));
  return commitScores(output, {
    ...{ snapshot: 'test', shard, attempt, images, failed, fingerprint: {} },
    // A tensor before it, of a size that leaves it unaligned in no reader's favour.
    tensors: {
      [TENSORS.positives]: { type: 'U8', shape: [3], bytes: new Uint8Array(3) },
      [TENSORS.scores('candidate')]: { shape: [CATEGORIES, images], values },
    },
  });
}

describe.each([
  ['a folder', () => openStore(place.path(randomUUID()))],
  ['S3', () => openStore(`s3://bucket/${randomUUID()}`, { env: s3.env })],
])('in %s', (_, newStore) => {
  it('any block of categories comes back, of all shards side by side, failed images left out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: SHARD_SIZE }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: CATEGORIES - 1 }),
        fc.integer({ min: 1, max: CATEGORIES }),
        async (sizes, from, count) => {
          const output = newStore();
          for (const [shard, images] of sizes.entries()) await commit(output, shard, images);
          const scored = await readScoredImages(output, 'test', {
            ...{ shards: sizes.length, shardSize: SHARD_SIZE },
          });
          const images = sizes.reduce((a, b) => a + b);
          expect(scored.images).toBe(images);
          expect(scored.failed).toHaveLength(sizes.length * SHARD_SIZE - images);
          expect([...scored.missing].sort((a, b) => a - b)).toEqual(
            sizes.flatMap((size, shard) =>
              Array.from({ length: SHARD_SIZE - size }, (_, i) => shard * SHARD_SIZE + size + i),
            ),
          );
          const to = Math.min(CATEGORIES, from + count);
          const block = new Float32Array((to - from) * images);
          await readRows(output, scored, TENSORS.scores('candidate'), [from, to], block);
          const wanted = Array.from({ length: to - from }, (_, row) =>
            sizes.flatMap((size, shard) =>
              Array.from({ length: size }, (_, i) => Math.fround(score(from + row, shard, i))),
            ),
          );
          expect([...block]).toEqual(wanted.flat());
        },
      ),
      { numRuns: 8 },
    );
  });

  it('of two attempts the first counts, and its scores are what is read', async () => {
    const output = newStore();
    expect(await commit(output, 0, 3, 'first')).toMatchObject({ attempt: 'first', images: 3 });
    expect(await commit(output, 0, 2, 'second')).toMatchObject({ attempt: 'first', images: 3 });
    const scored = await readScoredImages(output, 'test', { shards: 1, shardSize: SHARD_SIZE });
    expect(scored.images).toBe(3);
    expect(await readScoredShards(output)).toBe(1);
    await output.delete([scoresKey('test', 0, 'second')]);
    await readRows(output, scored, TENSORS.scores('candidate'), [0, 1], new Float32Array(3));
  });

  it('a shard without a receipt is missing', async () => {
    const output = newStore();
    await commit(output, 0, 3);
    const failure = await failureOf(readScoredImages(output, 'test', { shards: 2, shardSize: SHARD_SIZE }));
    expect(failure).toMatchObject({ code: 'Run.Incomplete', retryable: true });
  });
});
