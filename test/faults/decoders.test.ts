/** Runs with other limits or models take turns on one worker: none of them loses its decoding processes in mid-shard. */
import { afterAll, expect, it } from 'vitest';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { Decoders } from '../../workers/decoders.ts';
import { corpusOf } from '../support/corpus.ts';
import { failureOf } from '../support/servers/s3.ts';

const decoders = new Decoders(1);
afterAll(() => decoders.close());

it('serves several runs at once, and nobody after it was closed', async () => {
  const preprocess = parsePreprocessConfig({ size: 8, crop_size: 8 });
  const runs = [1e6, 2e6, 3e6].map((maxPixels) =>
    decoders.get(preprocess, { ...DEFAULT_IMAGE_LIMITS, maxPixels }),
  );
  const shard = corpusOf(10, 0);
  const decoded = await Promise.all(
    runs.map(async (run) => {
      const sizes: number[] = [];
      for (const { body } of shard) sizes.push((await run.decode(body)).pixels.length);
      return sizes;
    }),
  );
  expect(decoded).toEqual(runs.map(() => shard.map(() => 8 * 8 * 3)));
  await decoders.close();
  expect(await failureOf(runs[0]!.decode(shard[0]!.body))).toMatchObject({
    code: 'Decode.Closed',
    retryable: true,
  });
});
