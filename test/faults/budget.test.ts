/** The failure budget: a run that fails too often pauses with the reason, and goes on when told to. */
import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { corpusOf } from '../support/corpus.ts';
import { committedShards } from '../support/runs/runWatch.ts';
import { expectAccounted } from '../support/runs/runRows.ts';
import { writeSlowModel } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const SHARD = 50;
const EMPTY = 1000;
/** After the empty ones in order; slow enough that the budget is looked at before the end. */
const GOOD = 300;

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await writeFile(place.path('categories.txt'), 'dog\nwolf\nsheep\n');
  await writeSlowModel(place.path('slow'), 3);
});
afterAll(() => place.clear());

it('pauses beyond the failure rate, says why, and finishes on resume', async () => {
  const expected = new Map<string, string | null>();
  await mkdir(place.path('images'));
  for (let i = 0; i < EMPTY; i++) expected.set(`empty-${String(i).padStart(4, '0')}.jpg`, 'Image.Empty');
  for (const key of expected.keys()) await writeFile(place.path('images', key), '');
  const { body } = corpusOf(1, 0)[0]!;
  for (let i = 0; i < GOOD; i++) {
    const key = `good-${String(i).padStart(4, '0')}`;
    expected.set(key, null);
    await writeFile(place.path('images', key), body);
  }
  const paused = await runCli(
    [
      ...['tag', 'images', '--categories', 'categories.txt', '--out', 'out', '--model', 'slow', '--json'],
      ...['--shard-size', String(SHARD), '--concurrency', '1', '--threads', '1'],
    ],
    { cwd: place.dir },
  );
  expect(paused).toMatchObject({ code: 1, stdout: '' });
  expect(paused.stderr).toMatch(
    /is paused: 1000 of \d+ images failed \(.* the limit is 5\.0 %\): 1000 Image\.Empty/,
  );
  expect(paused.stderr).toMatch(/resume file:\S+out --max-failure-rate/);
  expect((await committedShards(place.path('out'))).length).toBeLessThan((EMPTY + GOOD) / SHARD);

  const status = jsonOf(await runCli(['status', './out', '--json'], { cwd: place.dir }));
  expect(status).toMatchObject({ state: 'running', failed: EMPTY, planned: EMPTY + GOOD });

  const resumed = await runCli(['resume', './out', '--max-failure-rate', '1', '--json'], { cwd: place.dir });
  expect(resumed.code, resumed.stderr).toBe(3);
  expect(jsonOf(resumed)).toMatchObject({ images: EMPTY + GOOD, failed: EMPTY });
  await expectAccounted(openStore(place.path('out')), expected);
}, 240_000);
