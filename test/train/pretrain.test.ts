/** `c2srt pretrain` from random weights, and a training that starts from what came of it. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSafetensors } from '../../data/safetensors.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { Validation } from '../../workflows/train/trainTypes.ts';
import { jsonOf, runCli, type CliOptions } from '../support/cli.ts';
import { copyScenes, DEMO_MODEL, scenes, trainDemo, writeManifest } from '../support/demoTraining.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  const images = scenes(0, 32).map((scene) => ({
    ...scene,
    captions: [`a picture of ${scene.labels.slice(0, 2).join(' and ')}`],
    mentions: scene.labels,
  }));
  await writeManifest(place.path('train.jsonl'), images);
  // What was learnt by heart is known again.
  await writeManifest(
    place.path('validation.jsonl'),
    await copyScenes(images.slice(0, 16), place.path('copies')),
  );
  await cp(DEMO_MODEL, place.path('blank'), { recursive: true });
  await rm(place.path('blank', 'model.safetensors'));
  await writeFile(
    place.path('c2srt.yaml'),
    JSON.stringify({
      pretrain: { batchSize: 16, epochs: 12, localSteps: 12, warmupSteps: 2, rate: 2e-3 },
      train: { batchSize: 8, epochs: 1, localSteps: 2, warmupSteps: 1, validationShare: 0 },
    }),
  );
});
afterAll(() => place.clear());

const here = (): CliOptions => ({ cwd: place.dir });

it('learns from captions, and becomes a model to train from', async () => {
  const pretrained = await runCli(
    [
      ...['pretrain', '--data', 'train.jsonl', '--validation', 'validation.jsonl'],
      ...['--model', 'blank', '--out', 'clip', '--json'],
    ],
    here(),
  );
  expect(pretrained.code, pretrained.stderr).toBe(0);
  const { start, best, rounds } = jsonOf(pretrained) as Record<'start' | 'best', Validation> & {
    rounds: number;
  };
  expect(rounds).toBe(2);
  const lossOf = ({ metrics }: Validation): number => metrics['losses']!['loss']!;
  expect(lossOf(best)).toBeLessThan(lossOf(start));

  const model = openModelFolder(place.path('clip'));
  expect(model.head).toBeUndefined();
  const like = openSafetensors(`${DEMO_MODEL}/model.safetensors`);
  expect([...model.tensors.keys()].sort()).toEqual([...like.keys()].sort());

  const trained = await runCli(trainDemo('model', '--model', './clip', '--json'), here());
  expect(trained.code, trained.stderr).toBe(0);
  expect(jsonOf(trained)).toMatchObject({ rounds: 2 });
  expect(openModelFolder(place.path('model')).head).toMatchObject({ layers: 2, heads: 4 });
}, 240_000);
