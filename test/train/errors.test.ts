/** What a training refuses, says, and leaves behind. One worker does the work of all commands here. */
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { openSafetensors, readBytes, readFloats } from '../../data/safetensors.ts';
import { jsonOf, runCli, startCli, type CliProcess, type CliResult } from '../support/cli.ts';
import {
  copyScenes,
  DEMO_MODEL,
  scenes,
  trainDemo,
  writeManifest,
  type Scene,
} from '../support/demoTraining.ts';
import { roundReceipts, trainedBytes } from '../support/runs/trainWatch.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const SETTINGS = {
  ...{ batchSize: 8, epochs: 2, localSteps: 2, warmupSteps: 2 },
  ...{ validationShare: 0, maxCategories: 32 },
};

let place: Workplace;
let temporal: LocalTemporal;
let worker: CliProcess;
let images: Scene[];
beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  worker = startCli(['worker', '--threads', '1'], options());
  images = await copyScenes(scenes(0, 17), place.path('images'));
  await configure('c2srt.yaml', {});
});
afterAll(async () => {
  worker.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const configure = (file: string, settings: Record<string, unknown>): Promise<void> =>
  writeFile(place.path(file), JSON.stringify({ train: { ...SETTINGS, ...settings } }));
const run = (...args: string[]): Promise<CliResult> => runCli(args, options());

/** Trains into `out` on a manifest of its own with these rows. */
async function train(out: string, rows: readonly Scene[], ...flags: string[]): Promise<CliResult> {
  await writeManifest(place.path(`${out}.jsonl`), rows);
  return run(...trainDemo(out, '--data', `${out}.jsonl`, ...flags));
}

/** What is wrong with a data set, one after the other in one manifest. */
const MISTAKES: [spoil: (good: Scene[]) => Scene[], message: RegExp][] = [
  [
    (good) => [...good, { uri: good[0]!.uri, labels: ['wollf'] }],
    /data\.jsonl: line 18: "wollf" is not among the categories\.\nDid you mean "wolf".*\[Dataset\.UnknownCategory\]/,
  ],
  [
    (good) => [...good, { uri: good[3]!.uri, labels: ['wolf'] }],
    /data\.jsonl.*3\.jpg.*line 4\b.*line 18\b.*\[Dataset\.Conflict\]/s,
  ],
  [
    (good) => good.map(({ uri }) => ({ uri, labels: ['dog', 'cat'] })),
    /no image with a label of a seen category, only labels of unseen ones \(34\).*\[Dataset\.NoPositives\]/s,
  ],
];

it('a mistake in the data set is named, before anything is made of it; mended, the same command trains', async () => {
  for (const [spoil, message] of MISTAKES) {
    const refused = await train('data', spoil(images));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(message);
    expect((await readdir(place.path('data'))).sort()).toEqual(['_inputs', '_run.json']);
  }
  const mended = await train('data', images, '--json');
  expect(mended.code, mended.stderr).toBe(0);
  expect(jsonOf(mended)).toMatchObject({ rounds: 2, images: 32 });
});

it.each([
  ['within a round', { localSteps: 2 }, /In step 2, the \w+ is \S+ That is in round 1, shard [01]/],
  [
    'with the last step of one',
    { localSteps: 1 },
    /After step 1, the \w+ is \S+ That is in round 1, shard [01]/,
  ],
])(
  'a loss that is no number %s: says the step, and keeps the best model before it',
  async (when, change, message) => {
    const out = when.replaceAll(' ', '-');
    await configure(`${out}.yaml`, { encoderRate: 1e20, warmupSteps: 0, shards: 2, ...change });
    const { code, stdout, stderr } = await train(out, images, '--config', `${out}.yaml`);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(
      new RegExp(`the best round before it is kept in file:\\S+/${out}/_checkpoint/\\.\n`),
    );
    expect(stderr).toMatch(/Lower the learning rates, or set clipNorm\. \[Train\.NotFinite\]/);
    expect(existsSync(place.path(out, 'config.json'))).toBe(false);
    const kept = openModelFolder(place.path(out, '_checkpoint'));
    const start = openModelFolder(DEMO_MODEL);
    expect(kept.head).toMatchObject({ layers: 2 });
    for (const [name, entry] of start.tensors)
      expect(readFloats(kept.tensors.get(name)!), name).toEqual(readFloats(entry));
  },
);

it('images that cannot be read stop a training, unless they are few', async () => {
  const broken = place.path('broken.jpg');
  await writeFile(broken, 'not an image');
  const rows = [...images.slice(0, 15), { uri: broken, labels: ['wolf'] }];
  const refused = await train('many', rows);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(
    /1 of 16 images could not be read, more than the 5 % .*broken\.jpg \(Image\.\w+\)\.\n.*another --out.*\[Train\.UnreadableImages\]/,
  );
  expect(existsSync(place.path('many', 'config.json'))).toBe(false);

  await configure('lenient.yaml', { maxFailureRate: 0.1 });
  const passed = await train('few', rows, '--config', 'lenient.yaml', '--json');
  expect(passed.code, passed.stderr).toBe(0);
  const receipts = Object.entries(await roundReceipts(place.path('few')));
  const merged = receipts.filter(([name]) => name.endsWith('merged.json'));
  // Two rounds of two steps, each an epoch.
  expect(merged.map(([, text]) => JSON.parse(text) as unknown)).toMatchObject([
    { images: 16, failed: 1 },
    { images: 16, failed: 1 },
  ]);
});

it('a model that changed under a training is refused, at whatever point it is', async () => {
  await cp(DEMO_MODEL, place.path('model'), { recursive: true });
  const first = await train('changed', images, '--model', './model');
  expect(first.code, first.stderr).toBe(0);
  const trained = await trainedBytes(place.path('changed'));
  // As if the run had been lost before its model was written.
  for (const name of ['_SUCCESS', '_manifest.json', 'config.json', 'model.safetensors'])
    await rm(place.path('changed', name));
  const prompts = await readFile(place.path('model', 'prompts.json'));
  await writeFile(place.path('model', 'prompts.json'), JSON.stringify(['a drawing of a {}']));
  const refused = await run('resume', './changed');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/model .* is not the one that .* was started with.*\[Model\.Changed\]/s);
  expect(existsSync(place.path('changed', 'model.safetensors'))).toBe(false);

  await writeFile(place.path('model', 'prompts.json'), prompts);
  const resumed = await run('resume', './changed');
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await trainedBytes(place.path('changed'))).toEqual(trained);
});

it('a folder that was deleted is trained anew by the same worker, with the new settings', async () => {
  const trainAgain = async (out: string, seed: number) => {
    await rm(place.path(out), { recursive: true, force: true });
    const result = await train(out, images, '--seed', String(seed));
    expect(result.code, result.stderr).toBe(0);
    return openSafetensors(place.path(out, 'model.safetensors'));
  };
  await trainAgain('again', 1);
  const again = await trainAgain('again', 2);
  const fresh = await trainAgain('fresh', 2);
  for (const [name, entry] of fresh)
    expect(Buffer.compare(readBytes(again.get(name)!), readBytes(entry)), name).toBe(0);
});
