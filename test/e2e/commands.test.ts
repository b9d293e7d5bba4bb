/** The commands around a run that workers elsewhere do: detach, status, runs, cancel, resume. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, startCli, until, type CliProcess, type CliResult } from '../support/cli.ts';
import { writeCorpus } from '../support/corpus.ts';
import { committedShards } from '../support/runs/runWatch.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 150;

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  await writeSlowModel(place.path('slow'), 12);
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const start = (...args: string[]): CliProcess => startCli(args, options());
const run = (...args: string[]): Promise<CliResult> => runCli(args, options());
const statusOf = async (name: string): Promise<Record<string, unknown>> => {
  const result = await run('status', name, '--json');
  expect(result.code, result.stderr).toBe(0);
  return jsonOf(result);
};

it('a remote run is detached from, looked at, cancelled and resumed', async () => {
  const expected = await writeCorpus(place.path('images'), IMAGES, 0.25);
  const out = place.path('out');
  const flags = ['--shard-size', '6', '--concurrency', '2', '--max-failure-rate', '1'];
  const tag = [
    'tag',
    'images',
    '--categories',
    'categories.txt',
    '--out',
    'out',
    '--model',
    'slow',
    ...flags,
  ];

  // Nobody polls yet: the follower says which workers are missing, and the status does.
  const follower = start(...tag);
  const missing = /no worker polls `orchestrate` and `gpu`/;
  await until('the follower says who is missing', () => missing.test(follower.output()));
  follower.kill('SIGINT');
  const detached = await follower.ended;
  expect(detached).toMatchObject({ code: 130, signal: null });
  expect(detached.stderr).toMatch(/It goes on without this command: `c2srt status tag-out-/);
  expect(await statusOf('./out')).toMatchObject({
    state: 'running',
    unpolledQueues: ['orchestrate', 'gpu'],
    images: 0,
  });

  const second = start('resume', './out');
  await until('resume says who is missing', () => missing.test(second.output()));
  const workers = [
    start('worker', '--queues', 'orchestrate'),
    start('worker', '--queues', 'gpu', '--batch-size', '4', '--threads', '1'),
  ];
  await until('a shard is committed', async () => (await committedShards(out)).length >= 1);
  second.kill('SIGINT');
  expect((await second.ended).code).toBe(130);
  const committed = (await committedShards(out)).length;
  const running = await statusOf('./out');
  expect(running).toMatchObject({ state: 'running', stage: 'tag', planned: IMAGES, paused: null });
  const id = String(running['run']);
  await until('it goes on', async () => (await committedShards(out)).length > committed);

  expect(await run('cancel', id)).toMatchObject({ code: 0 });
  await until('it is cancelled', async () => (await statusOf(id))['state'] === 'cancelled');
  const left = await committedShards(out);
  expect(left.length).toBeLessThan(IMAGES / 6);
  expect(await run('cancel', id)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/is not at work/) as string,
  });

  const resumed = await run('resume', './out', '--json', '--max-failure-rate', '1');
  expect(resumed.code, resumed.stderr).toBe(3);
  expect(jsonOf(resumed)).toMatchObject({ images: IMAGES, parts: IMAGES / 6 });
  await expectAccounted(openStore(out), expected);

  const [status, text, runs] = await Promise.all([statusOf(id), run('status', id), run('runs', '--json')]);
  expect(status).toMatchObject({
    run: id,
    output: openStore(out).uri,
    state: 'finished',
    stage: 'done',
    images: IMAGES,
  });
  expect(text.stdout).toMatch(/: finished\n.*folder/s);
  expect(JSON.parse(runs.stdout)).toMatchObject([
    { run: id, state: 'completed' },
    { run: id, state: 'cancelled' },
  ]);

  for (const worker of workers) {
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  }
}, 240_000);

it.each([
  ['an unknown id', 'tag-nothing-0', /knows no run tag-nothing-0/],
  ['a folder without a run', './images', /holds no run/],
])('status of %s', async (_, name, message) => {
  const result = await run('status', name);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
});
