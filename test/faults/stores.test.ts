/** A store that is down for a while under a whole run: the run waits for it, and blames no image. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { putCorpus } from '../support/corpus.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

/** Tries of the client per request, and requests at once. */
const TRIES = 5;
const LANES = 4;
const REFUSED = LANES * TRIES + 2 * TRIES;

let place: Workplace;
let s3: TestS3;
let proxy: FaultyProxy;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  proxy = await startFaultyProxy(s3.endpoint);
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
});
afterAll(async () => {
  await proxy.stop();
  await Promise.all([place.clear(), s3.stop()]);
});

it('a store that answers 503 while images are tagged', async () => {
  const expected = await putCorpus(openStore('s3://bucket/in', { env: s3.env }), 120, 0.2);
  let images = 0;
  let refused = 0;
  // By count, not by time: more in a row than the retries of all lanes, so that an attempt fails, and then another.
  proxy.fault = (line) => {
    if (line.startsWith('GET /bucket/in/')) images++;
    if (images < 30 || refused >= REFUSED) return 'pass';
    refused++;
    return { status: 503 };
  };
  const result = await runCli(
    [
      'tag',
      's3://bucket/in',
      '--categories',
      'categories.txt',
      '--out',
      's3://bucket/out',
      '--model',
      TINY_MODEL,
      ...['--shard-size', '40', '--shard-slots', '1', '--fetch-concurrency', String(LANES)],
      '--json',
    ],
    { cwd: place.dir, env: { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint } },
  );
  expect(result.code, result.stderr).toBe(3);
  expect(refused).toBe(REFUSED);
  expect(jsonOf(result)).toMatchObject({ images: 120, parts: 3 });
  await expectAccounted(openStore('s3://bucket/out', { env: s3.env }), expected, 'in/');
}, 240_000);
