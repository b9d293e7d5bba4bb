/** Scenes are pre-trained and trained on. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli, type CliOptions, type CliResult } from '../support/cli.ts';
import { DEMO_MODEL } from '../support/demoTraining.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await cp(DEMO_MODEL, place.path('blank'), { recursive: true });
  await rm(place.path('blank', 'model.safetensors'));
  await writeFile(
    place.path('c2srt.yaml'),
    JSON.stringify({
      pretrain: { batchSize: 16, epochs: 1, localSteps: 2, warmupSteps: 1, validationShare: 0 },
      train: { batchSize: 8, epochs: 1, localSteps: 2, warmupSteps: 1, validationShare: 0 },
    }),
  );
});
afterAll(() => place.clear());

const run = async (...args: string[]): Promise<CliResult> => {
  const options: CliOptions = { cwd: place.dir };
  const result = await runCli([...args, '--json'], options);
  expect(result.code, result.stderr).toBe(0);
  return result;
};

it('are read by pretrain with their captions, and by train with their labels, categories and graph', async () => {
  const make = ['world', 'make', '--split', 'train', '--count', '32'];
  await run(...make, '--domain', 'web', '--out', 'web');
  const pretrained = await run(
    ...['pretrain', '--data', 'web/manifest.jsonl', '--model', 'blank', '--out', 'clip'],
  );
  expect(jsonOf(pretrained)).toMatchObject({ rounds: 1 });

  await run(...make, '--domain', 'target', '--out', 'target');
  const trained = await run(
    ...['train', '--data', 'target/manifest.jsonl', '--model', './clip', '--out', 'model'],
    ...['--categories', 'target/categories.json', '--graph', 'target/graph.json'],
  );
  expect(jsonOf(trained)).toMatchObject({ rounds: 2 });
}, 240_000);
