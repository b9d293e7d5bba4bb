/** `c2srt train` from the command line to a model that tags, on the real Temporal server. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { writeTrainCorpus } from '../support/trainCorpus.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 40;
const CONFIG =
  'train: { batchSize: 8, localSteps: 2, validationShare: 0.2, warmupSteps: 2, maxFailureRate: 1 }\n';

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  // Commands attach to this server instead of starting one each.
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  await writeTrainCorpus(place.dir, IMAGES);
  await writeFile(place.path('c2srt.yaml'), CONFIG);
  await writeFile(place.path('bad.yaml'), 'train: { epoch: 3 }\n');
  await writeFile(place.path('heads.yaml'), 'train: { heads: 5 }\n');
  await run('model', 'import', TINY_MODEL, '--out', 'occupied');
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const run = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: place.dir });
const train = (out: string, ...flags: string[]): Promise<CliResult> =>
  run(
    ...['train', '--data', 'manifest.jsonl', '--categories', 'categories.txt', '--out', out],
    ...['--model', TINY_MODEL, ...flags],
  );

it('trains a model that tags; the same command says that it is finished, another that it differs', async () => {
  const first = await train('out', '--shards', '2', '--epochs', '2', '--json');
  expect(first.code, first.stderr).toBe(0);
  const summary = jsonOf(first);
  // 32 images in 2 shards of 2 steps per epoch.
  expect(summary).toMatchObject({ rounds: 2, stoppedEarly: false, images: 64, output: summary['model'] });
  expect(summary['run']).toMatch(/^train-out-[0-9a-f]{10}$/);
  expect(summary).toMatchObject({ start: { round: 0, images: 8 }, best: { round: summary['bestRound'] } });
  expect(Number.isFinite(summary['loss'])).toBe(true);

  const again = await train('out', '--shards', '2', '--epochs', '2', '--json');
  expect(again.code, again.stderr).toBe(0);
  expect(jsonOf(again)).toEqual({ ...summary, seconds: 0 });
  const told = await train('out', '--shards', '2', '--epochs', '2');
  expect(told.stdout).toMatch(/is finished already: 2 rounds, 64 images.*\nValidation: /);

  const other = await train('out', '--shards', '2', '--epochs', '3');
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(/\n {2}settings\.epochs: 2 -> 3\n/);

  const status = await run('status', './out', '--json');
  expect(jsonOf(status)).toMatchObject({
    ...{ run: summary['run'], kind: 'train', state: 'finished', round: 2, rounds: 2, steps: 8, stepsDone: 8 },
    startValidation: { round: 0 },
  });
  expect((await run('status', String(summary['run']))).stdout).toMatch(
    /rounds +2 of 2 done.*\n +loss .*\n +scores /,
  );
  expect(JSON.parse((await run('runs', '--json')).stdout)).toMatchObject([
    { run: summary['run'], state: 'completed' },
  ]);

  const tagged = await run(
    ...['tag', 'images', '--categories', 'categories.txt', '--out', 'tags', '--model', './out', '--json'],
  );
  expect(tagged.code, tagged.stderr).toBe(0);
  expect(jsonOf(tagged)).toMatchObject({ images: IMAGES, tagged: IMAGES });

  const onto = await run('tag', 'images', '--categories', 'categories.txt', '--out', 'out');
  expect(onto).toMatchObject({ code: 2, stderr: expect.stringMatching(/a run of `c2srt train`/) as string });
  const trainOnto = await train('tags');
  expect(trainOnto).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/a run of `c2srt tag`/) as string,
  });

  // The trained head is trained further as it is.
  const head = [
    '--data',
    'manifest.jsonl',
    '--categories',
    'categories.txt',
    '--out',
    'further',
    '--model',
    'out',
  ];
  const differs = await run('train', ...head, '--form', 'residual');
  expect(differs).toMatchObject({ code: 2, stdout: '' });
  expect(differs.stderr).toMatch(/form anchored.*; the settings ask for form residual/);
  expect(existsSync(place.path('further'))).toBe(false);
}, 300_000);

it.each([
  [
    'a file of categories that is not there',
    ['--categories', 'none.txt'],
    /--categories none\.txt cannot be read/,
  ],
  ['a manifest that is not there', ['--data', 'none.jsonl'], /none\.jsonl/],
  ['a manifest that is none', ['--data', 'c2srt.yaml'], /c2srt\.yaml: its ending is none of/],
  ['validation that is not there', ['--validation', 'none.jsonl'], /none\.jsonl/],
  ['a folder that is a model', ['--out', 'occupied'], /occupied holds a model/],
  [
    'blocks that there are not',
    ['--trained-blocks', '99'],
    /trainedBlocks is 99, but the vision encoder .* has/,
  ],
  ['a setting that is none', ['--config', 'bad.yaml'], /^train in bad\.yaml has no setting called epoch\./],
  ['a flag that cannot be', ['--epochs', 'many'], /^--epochs is "many"/],
  ['heads that do not divide', ['--config', 'heads.yaml'], /train\.heads is 5, which does not divide .* 32/],
])('%s is said before anything is written', async (_, flags, message) => {
  const result = await train('nothing', ...flags);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
  expect(existsSync(place.path('nothing'))).toBe(false);
  expect(existsSync(place.path('occupied', '_run.json'))).toBe(false);
});
