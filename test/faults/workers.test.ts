/** Workers and servers that die under a run that others follow. */
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort } from '../../infra/ports.ts';
import { openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { jsonOf, startCli, type CliProcess } from '../support/cli.ts';
import { writeCorpus } from '../support/corpus.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { committedShards, midShard, recordedActivities, shardsAtWork } from '../support/runs/runWatch.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
let temporal: LocalTemporal;
let port: number;
beforeEach(async () => {
  place = await makeWorkplace();
  port = await freePort();
  temporal = await startTemporal();
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
});
afterEach(async () => {
  await place.clear();
});

const startTemporal = (): Promise<LocalTemporal> =>
  startOrAttachTemporal({ dir: place.path('temporal'), port });
const start = (...args: string[]): CliProcess =>
  startCli(args, { cwd: place.dir, env: { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } });
const tag = (...more: string[]): CliProcess =>
  start(
    'tag',
    'images',
    '--categories',
    'categories.txt',
    '--out',
    'out',
    '--model',
    'slow',
    '--json',
    ...more,
  );

it('a worker killed in mid-shard and a server killed in mid-run lose nothing', async () => {
  const expected = await writeCorpus(place.path('images'), 64, 0.25);
  await writeSlowModel(place.path('slow'), 6);
  const out = place.path('out');
  const first = start('worker', '--batch-size', '4');
  const follower = tag('--shard-size', '8', '--heartbeat-timeout-s', '3');
  await midShard(out, 1);
  first.kill('SIGKILL');
  await first.ended;
  expect((await shardsAtWork(out)).length).toBeGreaterThan(0);

  const second = start('worker', '--batch-size', '3', '--shard-slots', '3');
  await midShard(out, (await committedShards(out)).length + 1);
  await endTemporal(place.path('temporal'));
  temporal = await startTemporal();

  const result = await follower.ended;
  expect(result.code, result.stderr).toBe(3);
  expect(jsonOf(result)).toMatchObject({ images: 64, tagged: 48, failed: 16, parts: 8 });
  await expectAccounted(openStore(out), expected);
  second.kill('SIGTERM');
  expect(await second.ended).toMatchObject({ code: 0 });
}, 240_000);

it('an inference of many seconds is not taken for a lost worker', async () => {
  const heartbeatTimeoutS = 3;
  const expected = await writeCorpus(place.path('images'), 16, 0);
  await writeSlowModel(place.path('slow'), 40);
  // One batch for all, on one thread.
  const worker = start('worker', '--batch-size', '16', '--threads', '1');
  const result = await tag('--heartbeat-timeout-s', String(heartbeatTimeoutS)).ended;
  expect(result.code, result.stderr).toBe(0);
  const tagged = (await recordedActivities(temporal.address)).filter(({ type }) => type === 'tagShard');
  expect(tagged).toMatchObject([{ attempt: 1 }]);
  expect(tagged[0]!.durationMs).toBeGreaterThan(heartbeatTimeoutS * 1000);
  await expectAccounted(openStore(place.path('out')), expected);
  worker.kill('SIGINT');
  expect((await worker.ended).code).toBe(0);
}, 240_000);
