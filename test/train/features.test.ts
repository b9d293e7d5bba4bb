/** Kept features and computed ones are the same; and once they are kept, no image is needed any more. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import type { TrainCourse } from '../../data/training/trainCourse.ts';
import { jsonOf, runCli, startCli, until, type CliOptions } from '../support/cli.ts';
import { copyScenes, scenes, trainDemo, writeManifest } from '../support/demoTraining.ts';
import { hasMerged, trainedBytes } from '../support/runs/trainWatch.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const ROUNDS = 3;

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  const images = await copyScenes(scenes(0, 24), place.path('images'));
  const broken = place.path('images', 'broken.jpg');
  await writeFile(broken, 'not an image');
  images[0] = { ...images[0]!, etag: 'another' };
  await writeManifest(place.path('train.jsonl'), [...images, { uri: broken, labels: ['wolf'] }]);
  await writeManifest(
    place.path('validation.jsonl'),
    await copyScenes(scenes(24, 32), place.path('images', 'validation')),
  );
  for (const cache of ['always', 'none'])
    await writeFile(
      place.path(`${cache}.yaml`),
      JSON.stringify({
        train: {
          ...{ cache, batchSize: 8, epochs: 3, localSteps: 3, warmupSteps: 2 },
          ...{ maxCategories: 64, maxFailureRate: 0.1 },
        },
      }),
    );
});
afterAll(() => place.clear());

const here = (): CliOptions => ({ cwd: place.dir });
const train = (cache: string): string[] =>
  trainDemo(cache, '--validation', 'validation.jsonl', '--config', `${cache}.yaml`, '--json');

it('a training that keeps its features goes on without images, and ends in the bytes of one that computes them', async () => {
  const computed = await runCli(train('none'), here());
  expect(computed.code, computed.stderr).toBe(0);
  expect(jsonOf(computed)).toMatchObject({ rounds: ROUNDS, images: 72 });
  const { unread } = await metrics('none');
  expect(unread.training.byCode).toEqual(jsonOf(computed)['failed']);
  expect(unread).toEqual({
    training: {
      byCode: {
        'Image.Unsupported': expect.any(Number) as number,
        'Store.Changed': expect.any(Number) as number,
      },
      named: [
        { uri: canonicalUri(place.path('images', '0.jpg')), code: 'Store.Changed' },
        { uri: canonicalUri(place.path('images', 'broken.jpg')), code: 'Image.Unsupported' },
      ],
    },
    validation: { byCode: {}, named: [] },
  });
  expect(await readFile(place.path('none', 'MODEL_CARD.md'), 'utf8')).toMatch(
    /could not be read among them \| .*Store\.Changed \d/,
  );
  expect(await pieces('none')).toEqual({});

  const command = startCli(train('always'), here());
  await until('a round is merged', () => hasMerged(place.path('always'), 1));
  command.kill('SIGINT');
  expect(await command.ended).toMatchObject({ code: 130 });
  expect(await hasMerged(place.path('always'), ROUNDS)).toBe(false);
  const kept = await pieces('always');
  expect(Object.keys(kept)).toHaveLength(2);

  await rm(place.path('images'), { recursive: true });
  await mkdir(place.path('images'));
  const resumed = await runCli(['resume', './always', '--json'], here());
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await trainedBytes(place.path('always'))).toEqual(await trainedBytes(place.path('none')));
  expect(await pieces('always')).toEqual(kept);
  expect((await metrics('always')).unread).toEqual(unread);
}, 240_000);

async function metrics(out: string): Promise<{ unread: TrainCourse['unread'] }> {
  return JSON.parse(await readFile(place.path(out, 'metrics.json'), 'utf8')) as {
    unread: TrainCourse['unread'];
  };
}

/** Inodes and times of the pieces of features: a piece that is written again is another file. */
async function pieces(out: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key } of openStore(place.path(out)).list({ prefix: '_artifacts/' }))
    if (key.endsWith('.safetensors')) {
      const { ino, mtimeMs } = await stat(join(place.path(out), key));
      found[key] = `${ino} ${mtimeMs}`;
    }
  return found;
}
