/** `c2srt pause` and `resume` of runs that workers elsewhere do. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, startCli, until, type CliProcess, type CliResult } from '../support/cli.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { writeTrainCorpus } from '../support/trainCorpus.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  await writeTrainCorpus(place.dir, 40);
  await writeFile(
    place.path('c2srt.yaml'),
    'train: { batchSize: 8, localSteps: 2, epochs: 1, validationShare: 0.2, maxFailureRate: 1 }\n',
  );
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const run = (...args: string[]): Promise<CliResult> => runCli(args, options());
const start = (...args: string[]): CliProcess => startCli(args, options());

const RUNS = [
  {
    folder: './model',
    command: ['train', '--data', 'manifest.jsonl', '--out', 'model'],
    paused: { kind: 'train', round: 0, rounds: 2, stage: 'features' },
    finished: { rounds: 2 },
  },
  {
    folder: './tags',
    command: ['tag', 'images', '--out', 'tags', '--shard-size', '10'],
    paused: { kind: 'tag', images: 0, planned: 40, stage: 'tag' },
    finished: { tagged: 40 },
  },
];

it('a training and a tag run pause where nothing is lost, say so, and go on', async () => {
  const common = ['--categories', 'categories.txt', '--model', TINY_MODEL];
  const followers = RUNS.map(({ command }) => start(...command, ...common));
  // Before any worker is up, so that the pauses are there before the first shard.
  for (const follower of followers)
    await until('the follower says who is missing', () => /no worker polls/.test(follower.output()));
  for (const { folder } of RUNS) {
    const asked = await run('pause', folder);
    expect(asked, asked.stderr).toMatchObject({ code: 0 });
    expect(asked.stdout).toMatch(/pauses .*`c2srt resume file:.*` goes on/);
  }
  const worker = start('worker', '--threads', '1');
  for (const follower of followers) {
    const { code, stderr } = await follower.ended;
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/is paused: asked for\.\n`c2srt resume file:\S+` goes on/);
  }
  for (const { folder, paused, finished } of RUNS) {
    const status = jsonOf(await run('status', folder, '--json'));
    expect(status).toMatchObject({ state: 'paused', paused: 'asked for', ...paused });
    const text = await run('status', folder);
    expect(text.stdout).toMatch(/: paused, .*\n.* paused +asked for\n +`c2srt resume file:\S+` goes on/s);

    const resumed = await run('resume', folder, '--json');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(jsonOf(resumed)).toMatchObject(finished);
    expect(await run('pause', folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is not at work/) as string,
    });
  }
  worker.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
}, 240_000);
