/** Retrainings that a schedule of a real server starts, done by a worker of its own. */
import { appendFile, readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import type { RetrainResult } from '../../workflows/retrain/retrainTypes.ts';
import { jsonOf, runCli, startCli, until } from '../support/cli.ts';
import {
  artifactsOf,
  growData,
  productionIn,
  runsIn,
  writePipelineFiles,
} from '../support/runs/retrainPlace.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  await writePipelineFiles(place);
  temporal = await startOrAttachTemporal({ dir: place.path('temporal') });
  startCli(['worker', '--threads', '1'], options());
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const options = () => ({ cwd: place.dir, env: { TEMPORAL_ADDRESS: temporal.address } });
const c2srt = async (...args: string[]) => {
  const result = await runCli(args, options());
  expect(result.code, result.stderr).toBe(0);
  return result;
};

interface Fired {
  output: string;
  outcome: string;
}

/** What the schedule's runs have come to, latest first, once none of this many is at work. */
const outcomes = (count: number): Promise<Fired[]> =>
  until(
    `${count} runs have ended`,
    async () => {
      const { recent } = jsonOf(await c2srt('schedule', 'describe', 'weekly', '--json')) as {
        recent: Fired[];
      };
      return recent.length === count && recent.every(({ outcome }) => outcome !== 'running') && recent;
    },
    180_000,
  );

/** The model that a run published. */
async function modelOf({ output }: Fired): Promise<string | null> {
  const text = await readFile(new URL(`${output}/_manifest.json`), 'utf8');
  return (JSON.parse(text) as { result: RetrainResult }).result.model;
}

it('fires into a published model, then finds nothing new', async () => {
  // It never fires by itself.
  await c2srt('schedule', 'create', 'weekly', '--what', 'retrain', '--cron', '0 0 29 2 *');
  await c2srt('schedule', 'trigger', 'weekly');
  expect(await outcomes(1)).toMatchObject([{ outcome: 'published' }]);
  const production = await productionIn(place);
  expect(production).toMatch(/^[0-9a-f]{64}$/);

  const features = await artifactsOf(place, 'features');
  await c2srt('schedule', 'trigger', 'weekly');
  expect((await outcomes(2))[0]).toMatchObject({ outcome: 'unchanged' });
  expect(await artifactsOf(place, 'features')).toEqual(features);
  expect(await productionIn(place)).toBe(production);
}, 300_000);

it('two at once, of data that has changed: everything is made once, and one model is published', async () => {
  const before = await productionIn(place);
  await growData(place, 6);
  await c2srt('schedule', 'trigger', 'weekly', '--overlap', 'allow-all');
  await c2srt('schedule', 'trigger', 'weekly', '--overlap', 'allow-all');
  const both = (await outcomes(4)).slice(0, 2);
  expect(both.map(({ outcome }) => outcome)).toEqual(['published', 'published']);
  const production = await productionIn(place);
  expect(production).not.toBe(before);
  const published = expect.stringMatching(new RegExp(`/store/models/scenes/${production}$`)) as string;
  expect(await Promise.all(both.map(modelOf))).toEqual([published, published]);
  // The first training, and the one that both needed.
  expect(await artifactsOf(place, 'train')).toHaveLength(2);
  expect(await runsIn(place)).toHaveLength(4);
}, 300_000);

it('a run that fails says which it is, and what for', async () => {
  await appendFile(place.path('train.jsonl'), '{"uri": "none.jpg", "labels": ["nonsense"]}\n');
  await c2srt('schedule', 'trigger', 'weekly');
  const [failed] = await outcomes(5);
  expect(failed!.outcome).toMatch(/^failed: Dataset\.UnknownCategory: .*"nonsense"/);
  expect(failed!.output).toBe(pathToFileURL((await runsIn(place)).at(-1)!).href);
}, 120_000);
