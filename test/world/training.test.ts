/** Scenes are pre-trained and trained on. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli, type CliOptions, type CliResult } from '../support/cli.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await writeFile(
    place.path('c2srt.yaml'),
    JSON.stringify({
      pretrain: { batchSize: 16, epochs: 1, localSteps: 1, warmupSteps: 1 },
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

it('give a CLIP from random weights by one command, and then train its head with labels, categories and graph', async () => {
  const pretrain = ['world', 'pretrain', '--out', 'world', '--scenes', '32', '--held-back', '8'];
  const pretrained = jsonOf(await run(...pretrain));
  expect(pretrained).toMatchObject({ rounds: 2, best: { images: 8 } });
  expect(jsonOf(await run(...pretrain))).toMatchObject({ run: pretrained['run'], rounds: 2 });

  const make = ['world', 'make', '--split', 'train', '--count', '32'];
  await run(...make, '--domain', 'target', '--out', 'target');
  const trained = await run(
    ...['train', '--data', 'target/manifest.jsonl', '--model', './world/clip', '--out', 'model'],
    ...['--categories', 'target/categories.json', '--graph', 'target/graph.json'],
  );
  expect(jsonOf(trained)).toMatchObject({ rounds: 2 });
}, 240_000);
