/** A training whose manifest, images and folder are on S3, and its model at work from there. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SUCCESS } from '../../data/run/layout.ts';
import { openStore } from '../../data/store/open.ts';
import { cacheDir } from '../../infra/programs.ts';
import { jsonOf, runCli, type CliOptions } from '../support/cli.ts';
import { DEMO_CATEGORIES, scenes, trainDemo } from '../support/demoTraining.ts';
import { readRows } from '../support/runs/runRows.ts';
import { startTestS3, type TestS3 } from '../support/servers/s3.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 24;

let place: Workplace;
let s3: TestS3;
beforeAll(async () => {
  [place, s3] = await Promise.all([makeWorkplace(), startTestS3()]);
  const store = openStore('s3://bucket/data', { env: s3.env });
  const rows = await Promise.all(
    scenes(0, IMAGES).map(async ({ uri, labels }, i) => {
      // Relative to the manifest, and a key that a URI would escape.
      const key = `scenes/no ${i}.jpg`;
      await store.put(key, await readFile(uri));
      return JSON.stringify({ uri: key, labels });
    }),
  );
  await store.put('train.jsonl', rows.join('\n'));
  // The model is fetched into a cache that goes with the test; what is costly to make is the machine's.
  await mkdir(place.path('cache'));
  for (const name of ['bin', 'workflows']) {
    await mkdir(join(cacheDir(), name), { recursive: true });
    await symlink(join(cacheDir(), name), place.path('cache', name));
  }
  await writeFile(
    place.path('c2srt.yaml'),
    'train: { batchSize: 8, epochs: 2, localSteps: 2, warmupSteps: 2, shards: 2, validationShare: 0.2 }\n',
  );
});
afterAll(async () => {
  await place.clear();
  await s3.stop();
});

const here = (): CliOptions => ({ cwd: place.dir, env: { ...s3.env, C2SRT_CACHE: place.path('cache') } });

it('trains from a bucket into a bucket a model that tags from there', async () => {
  const model = 's3://bucket/models/first';
  const trained = await runCli(trainDemo(model, '--data', 's3://bucket/data/train.jsonl', '--json'), here());
  expect(trained.code, trained.stderr).toBe(0);
  expect(jsonOf(trained)).toMatchObject({ rounds: 1, model, output: model });
  const output = openStore(model, { env: s3.env });
  expect(await output.head(SUCCESS)).toBeDefined();

  const status = await runCli(['status', model, '--json'], here());
  expect(jsonOf(status)).toMatchObject({ state: 'finished', round: 1 });

  const tags = 's3://bucket/tags';
  const tagged = await runCli(
    [
      ...['tag', 's3://bucket/data/scenes', '--model', model, '--categories', DEMO_CATEGORIES],
      ...['--out', tags, '--json'],
    ],
    here(),
  );
  expect(tagged.code, tagged.stderr).toBe(0);
  expect(jsonOf(tagged)).toMatchObject({ images: IMAGES, tagged: IMAGES });
  const rows = await readRows(openStore(tags, { env: s3.env }));
  expect(rows.tags).toHaveLength(IMAGES);
}, 240_000);
