/** What a person asks of a run at work, and sees of it: pause, set, resume, cancel, status, runs, tail. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, runCli, startCli, until, type CliProcess, type CliResult } from '../support/cli.ts';
import { writeCorpus } from '../support/corpus.ts';
import { committedShards } from '../support/runs/runWatch.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 48;
const SHARD = 4;

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  // Slow enough for a command to come in the middle of a run, on any machine.
  await writeSlowModel(place.path('slow'), 24);
  await writeCorpus(place.path('images'), IMAGES, 0.25);
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const start = (...args: string[]): CliProcess => startCli(args, options());
const run = (...args: string[]): Promise<CliResult> => runCli(args, options());
const done = async (...args: string[]): Promise<CliResult> => {
  const result = await run(...args);
  expect(result.code, result.stderr).toBe(0);
  return result;
};
const tag = (out: string): CliProcess =>
  start(
    ...['tag', 'images', '--categories', 'categories.txt', '--model', 'slow', '--out', out],
    ...['--shard-size', String(SHARD), '--concurrency', '1', '--max-failure-rate', '1'],
  );
const worker = (): CliProcess => start('worker', '--threads', '1', '--batch-size', '2');
const listed = async (...flags: string[]): Promise<unknown> =>
  JSON.parse((await done('runs', '--json', ...flags)).stdout);
const eventsOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it('a run is paused, looked at, changed, gone on with and followed, over a restart of the server', async () => {
  const workers = worker();
  const follower = tag('out');
  await until('a shard is committed', async () => (await committedShards(place.path('out'))).length > 0);
  const paused = jsonOf(await done('pause', './out', '--json'));
  expect(paused).toMatchObject({ isPaused: true, unanswered: null, child: null });
  expect(Number(paused['inHand'])).toBeLessThanOrEqual(1);
  expect((await follower.ended).code).toBe(1);
  const tail = start('tail', './out', '--json', '--lines', '1000');
  await until('the pause is told', () => tail.output().includes('"event":"paused"'));
  await until(
    'what was in hand is done',
    async () => jsonOf(await done('status', './out', '--json'))['inHand'] === 0,
  );
  const committed = (await committedShards(place.path('out'))).length;

  await endTemporal(place.path('temporal'));
  const port = Number(temporal.address.split(':')[1]);
  temporal = await startOrAttachTemporal({ dir: place.path('temporal'), port });
  const set = await done('set', './out', '--concurrency', '2', '--max-failure-rate', '0.9', '--json');
  expect(jsonOf(set)).toMatchObject({ inForce: { concurrency: 2, maxFailureRate: 0.9 }, unanswered: null });

  const status = jsonOf(await done('status', './out', '--json'));
  expect(status).toMatchObject({
    ...{ state: 'paused', paused: 'asked for', stage: 'tag', concurrency: 2, maxFailureRate: 0.9, inHand: 0 },
    goOn: expect.stringMatching(/^c2srt resume file:\S+$/) as string,
    queues: expect.arrayContaining([
      expect.objectContaining({ queue: 'gpu', backlog: 0, pollers: [expect.anything()] }) as unknown,
    ]) as unknown,
  });
  const shares = Object.values(status['shares'] as Record<string, number>);
  expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1);
  expect(status['lastFailures']).not.toHaveLength(0);
  const text = (await done('status', './out')).stdout;
  expect(text).toMatch(
    /failures Image\.\w+ ".*": .*\n.* shards +0 in hand of 2 at once.*\n.* time +fetch \d+ %/s,
  );
  expect(text).toMatch(/queue +gpu: 0 waiting, 1 worker, the last seen \d+ s ago/);

  const id = String(status['run']);
  expect(await listed('--status', 'paused', '--kind', 'tag', '--output', '.')).toMatchObject([
    { run: id, state: 'paused', stage: 'tag' },
  ]);
  expect(await listed('--status', 'running')).toEqual([]);
  expect(await listed('--output', './images')).toEqual([]);
  expect(await listed('--kind', 'train')).toEqual([]);

  expect((await committedShards(place.path('out'))).length).toBe(committed);
  const resumed = await run('resume', './out', '--json');
  expect(resumed.code, resumed.stderr).toBe(3);
  expect(jsonOf(resumed)).toMatchObject({ images: IMAGES });

  const ended = await tail.ended;
  expect(ended.code, ended.stderr).toBe(3);
  const events = eventsOf(ended.stdout);
  const order = events.map(({ event, stage, what }) => stage ?? what ?? event);
  expect(order.filter((name) => name !== 'shards' && name !== 'failure' && name !== 'retried')).toEqual([
    ...['started', 'plan', 'prepare', 'tag', 'pause', 'paused', 'set', 'resume', 'resumed'],
    ...['finish', 'done', 'finished'],
  ]);
  const shards = events.filter(({ event }) => event === 'shards');
  expect(shards.reduce((sum, { images }) => sum + Number(images), 0)).toBe(IMAGES);
  expect(shards.at(-1)).toMatchObject({ done: IMAGES, planned: IMAGES });
  expect(events.find(({ event }) => event === 'failure')).toMatchObject({
    code: expect.stringMatching(/^Image\./) as string,
  });
  expect(events.find(({ event }) => event === 'set')).toMatchObject({ concurrency: 2, maxFailureRate: 0.9 });

  const last = await run('tail', './out', '-n', '1');
  expect(last).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^\S+Z {2}finished: images 48, .*\n$/) as string,
  });
  for (const command of [['pause'], ['cancel'], ['set', '--concurrency', '1']])
    expect(await run(command[0]!, './out', ...command.slice(1))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is not at work: it has finished at/) as string,
    });
  expect(await run('set', './out')).toMatchObject({ code: 2 });
  workers.kill('SIGTERM');
  expect((await workers.ended).code).toBe(0);
}, 400_000);

it('what is asked while no worker answers waits for one; another server goes on with what was set', async () => {
  const lost = worker();
  const follower = tag('second');
  await until('a shard is committed', async () => (await committedShards(place.path('second'))).length > 0);
  follower.kill('SIGINT');
  await follower.ended;
  lost.kill('SIGKILL');
  await lost.ended;

  // The server still takes the lost worker for one that will poll again.
  const asked = await done('pause', './second');
  expect(asked.stdout).toMatch(/pauses as soon as a worker takes that up: no worker /);
  const set = jsonOf(await done('set', './second', '--concurrency', '3', '--json'));
  expect(set).toMatchObject({ inForce: null, unanswered: expect.stringMatching(/^no worker /) as string });
  const workers = worker();
  await until(
    'it is paused',
    async () => jsonOf(await done('status', './second', '--json'))['state'] === 'paused',
  );

  const cancelled = await done('cancel', './second');
  expect(cancelled.stdout).toMatch(/has stopped|stops;/);
  const tail = await run('tail', './second', '--json', '-n', '1000');
  expect(tail.code, tail.stderr).toBe(1);
  const events = eventsOf(tail.stdout);
  expect(events.filter(({ event }) => event === 'asked')).toMatchObject([
    { what: 'pause' },
    { what: 'cancel' },
  ]);
  expect(events.at(-1)).toMatchObject({ event: 'cancelled' });
  expect(await run('pause', './second')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/is not at work: it was cancelled at .*\n.*resume/) as string,
  });
  workers.kill('SIGTERM');
  await workers.ended;

  const elsewhere = { cwd: place.dir };
  expect(await runCli(['cancel', './second'], elsewhere)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/is not at work: this Temporal server has never had it/) as string,
  });
  const told = await runCli(['tail', './second', '--json', '-n', '1000'], elsewhere);
  expect(told.code, told.stderr).toBe(1);
  expect(eventsOf(told.stdout)[0]).toMatchObject({ event: 'started' });
  const resumed = startCli(['resume', './second', '--json', '--threads', '1'], elsewhere);
  const concurrency = await until('it is at work there', async () => {
    const status = await runCli(['status', './second', '--json'], elsewhere);
    return status.code === 0 ? ((jsonOf(status)['concurrency'] as number | null) ?? undefined) : undefined;
  });
  expect(concurrency).toBe(3);
  const { code, stderr } = await resumed.ended;
  expect(code, stderr).toBe(3);
}, 400_000);
