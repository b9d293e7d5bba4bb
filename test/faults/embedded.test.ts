/** Commands that do the work themselves, interrupted: what is left behind, and that it can be continued. */
import { rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { readSpool } from '../../activities/tag/spool.ts';
import { runCli, startCli, until, type CliProcess } from '../support/cli.ts';
import { writeCorpus, type Expected } from '../support/corpus.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { childrenOf, committedShards, gone, midShard, shardsAtWork } from '../support/runs/runWatch.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { endTemporal, makeWorkplace, temporalOf, type Workplace } from '../support/workplace.ts';

const FLAGS = ['--shard-size', '8', '--batch-size', '4', '--heartbeat-timeout-s', '5'];

let place: Workplace;
let expected: Expected;
beforeAll(async () => {
  place = await makeWorkplace();
  expected = await writeCorpus(place.path('images'), 48, 0);
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  await writeSlowModel(place.path('slow'), 6);
});
afterAll(() => place.clear());

const tagArguments = (out: string, ...more: string[]): string[] => [
  ...['tag', 'images', '--categories', 'categories.txt', '--out', out, '--model', 'slow', ...FLAGS],
  ...more,
];

/** Stops a command in mid-run and checks that it ended in order. */
async function interrupt(command: CliProcess, signal: 'SIGINT' | 'SIGTERM', out: string): Promise<void> {
  const server = await temporalOf(place.path('.c2srt'));
  const children = await childrenOf(command.pid);
  expect(server).toBeDefined();
  command.kill(signal);
  const { code, signal: endedBy, stderr } = await command.ended;
  // 134 would be an abort: a thread that ended in the middle of an inference.
  expect({ code, endedBy }, stderr).toEqual({ code: 130, endedBy: null });
  expect(stderr).toMatch(/stopping: .*spooled/);
  expect(stderr).toMatch(/is not finished/);
  await gone([...children, server!]);
  for (const shard of await shardsAtWork(out)) {
    const { suspects, crashers, outcomes } = await readSpool(openStore(out), Number(shard));
    expect({ suspects, crashers }).toEqual({ suspects: new Set(), crashers: new Set() });
    expect(outcomes.size).toBeLessThan(9);
  }
}

it('Ctrl-C and SIGTERM stop a run in the middle of an inference, and the same command goes on', async () => {
  const out = place.path('out');
  const first = startCli(tagArguments('out'), { cwd: place.dir });
  await midShard(out, 1);
  await interrupt(first, 'SIGINT', out);

  const other = await runCli(tagArguments('out', '--top-k', '2'), { cwd: place.dir });
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(/topK: null -> 2/);

  const second = startCli(tagArguments('out'), { cwd: place.dir });
  await midShard(out, (await committedShards(out)).length + 1);
  await interrupt(second, 'SIGTERM', out);

  const third = await runCli(tagArguments('out'), { cwd: place.dir });
  expect(third.code, third.stderr).toBe(0);
  const { tags } = await expectAccounted(openStore(out), expected);
  expect(tags[0]!['tags']).toHaveLength(3);
}, 240_000);

it('Ctrl-C before a run is at work ends the command at once, and leaves no server', async () => {
  const command = startCli(tagArguments('out-early'), { cwd: place.dir });
  await until('the server is being started', () => /starting the Temporal server/.test(command.output()));
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toMatch(/The same command starts it/);
  expect(await temporalOf(place.path('.c2srt'))).toBeUndefined();
  expect(await committedShards(place.path('out-early'))).toEqual([]);
});

it('resume needs nothing but the folder of a run that was killed with its server', async () => {
  const out = place.path('out-killed');
  const command = startCli(tagArguments('out-killed'), { cwd: place.dir });
  await midShard(out, 2);
  const server = await temporalOf(place.path('.c2srt'));
  // The server is nobody's: it lives on. The decoding processes do not.
  const children = (await childrenOf(command.pid)).filter(({ pid }) => pid !== server?.pid);
  command.kill('SIGKILL');
  await command.ended;
  await gone(children);
  await endTemporal(place.path('.c2srt'));
  await rm(place.path('.c2srt'), { recursive: true });
  const before = await committedShards(out);
  expect(before.length).toBeLessThan(6);

  const resumed = await runCli(['resume', 'out-killed/', '--json'], { cwd: place.dir });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ images: 48, tagged: 48, parts: 6 });
  await expectAccounted(openStore(out), expected);

  const again = await runCli(['resume', './out-killed'], { cwd: place.dir });
  expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/finished/) as string });
}, 240_000);
