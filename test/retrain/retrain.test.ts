/** Retrainings by command, on the embedded server, from configuration to tags. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { DEMO } from '../support/demoTraining.ts';
import {
  artifactsOf,
  growData,
  productionIn,
  runsIn,
  writeConfig,
  writePipelineFiles,
} from '../support/runs/retrainPlace.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';
import type { RetrainResult } from '../../workflows/retrain/retrainTypes.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await writePipelineFiles(place, { retrain: { tagSource: join(DEMO, 'scenes') } });
});
afterAll(() => place.clear());

const c2srt = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: place.dir });
const done = (result: CliResult): Record<string, unknown> => {
  expect(result.code, result.stderr).toBe(0);
  return jsonOf(result);
};
const retrain = async (...args: string[]): Promise<RetrainResult & { output: string; run: string }> =>
  done(await c2srt('retrain', '--json', ...args)) as unknown as RetrainResult & {
    output: string;
    run: string;
  };
const states = ({ stages }: RetrainResult) =>
  Object.fromEntries(stages.map(({ stage, state }) => [stage, state]));

let first: string;

it('a dry run says what would run, and makes nothing', async () => {
  const survey = done(await c2srt('retrain', '--dry-run', '--json')) as {
    unchanged: null;
    stages: { stage: string; state: string; units: number | null }[];
  };
  expect(survey.unchanged).toBeNull();
  expect(Object.fromEntries(survey.stages.map(({ stage, state }) => [stage, state]))).toEqual({
    ...{ snapshot: 'runs', features: 'runs', graph: 'runs', train: 'runs', evaluate: 'runs' },
    ...{ gate: 'runs', approval: 'skipped', publish: 'runs', tag: 'runs' },
  });
  const units = new Map(survey.stages.map(({ stage, units: own }) => [stage, own]));
  expect(units.get('features')).toBe(44);
  expect(units.get('evaluate')).toBe(32);
  for (const kind of ['snapshot', 'features', 'graph', 'train', 'evaluation'])
    expect(await artifactsOf(place, kind)).toEqual([]);
  expect(await runsIn(place)).toEqual([]);
}, 120_000);

it.each([
  [
    'images to test on that are trained on',
    { retrain: { test: './train.jsonl' } },
    /^32 images, \S+ among them, are both tested on and trained on\..*\[Dataset\.Overlap\]$/ms,
  ],
  [
    'images to test on that are held back',
    { retrain: { test: './validation.jsonl' } },
    /^12 images, \S+ among them, are both tested on and held back to calibrate on\..*\[Dataset\.Overlap\]$/ms,
  ],
  [
    'rules about a K that is not evaluated',
    { gate: { rules: [{ metric: 'F1@7' }] } },
    /asks for F1@7, which is not evaluated\.\nevaluate\.topK is 3, 5/,
  ],
])(
  '%s are refused before anything is trained',
  async (_, change, message) => {
    await writeConfig(place, change);
    const refused = await c2srt('retrain', '--dry-run');
    expect(refused.stderr).toMatch(message);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    await writeConfig(place, { retrain: { tagSource: join(DEMO, 'scenes') } });
  },
  60_000,
);

it('trains, evaluates, publishes and tags with the new model', async () => {
  const result = await retrain();
  expect(result).toMatchObject({ outcome: 'published' });
  expect(states(result)).toEqual({
    ...{ snapshot: 'done', features: 'done', graph: 'done', train: 'done', evaluate: 'done' },
    ...{ gate: 'done', approval: 'skipped', publish: 'done', tag: 'done' },
  });
  first = (await productionIn(place))!;
  expect(result.model).toMatch(new RegExp(`/store/models/scenes/${first}$`));
  const tagged = result.stages.find(({ stage }) => stage === 'tag')!;
  const manifest = JSON.parse(
    await readFile(join(tagged.artifact!.replace('file://', ''), '_manifest.json'), 'utf8'),
  ) as {
    spec: { model: string };
    counts: { images: number; tagged: number };
  };
  expect(manifest.spec.model).toBe(result.model);
  expect(manifest.counts.tagged).toBe(manifest.counts.images);
  expect(manifest.counts.images).toBeGreaterThan(0);
}, 240_000);

it('unchanged data are found unchanged, and a dry run says so', async () => {
  const before = await artifactsOf(place, 'features');
  const result = await retrain();
  expect(result).toMatchObject({ outcome: 'unchanged' });
  expect(states(result)).toEqual({ snapshot: 'reused' });
  expect(await artifactsOf(place, 'features')).toEqual(before);
  const survey = done(await c2srt('retrain', '--dry-run', '--json'));
  expect(survey['unchanged']).toBe(result.model);
}, 120_000);

it('the lineage of the model names its run, data, graph and figures', async () => {
  const lineage = done(await c2srt('lineage', './store/models/scenes', '--json'));
  const text = JSON.stringify(lineage);
  for (const part of ['train.jsonl', 'wordnet', 'unseen mAP', '"shards":2']) expect(text).toContain(part);
  const told = await c2srt('lineage', './store/models/scenes');
  expect(told.stdout).toMatch(
    /^ {2}gate {7}mAP on all categories: not judged, as no model is in production\.$/m,
  );
}, 60_000);

it('another setting of the training reuses the features and the graph', async () => {
  await writeConfig(place, { train: { headRate: 2e-3 } });
  const survey = done(await c2srt('retrain', '--dry-run', '--json')) as {
    stages: { stage: string; state: string; seconds: number | null }[];
  };
  const surveyed = new Map(survey.stages.map((stage) => [stage.stage, stage]));
  expect(surveyed.get('features')!.state).toBe('reused');
  expect(surveyed.get('graph')!.state).toBe('reused');
  expect(surveyed.get('train')!.state).toBe('runs');
  expect(surveyed.get('train')!.seconds).toBeGreaterThan(0);
  const result = await retrain();
  expect(states(result)).toMatchObject({
    ...{ snapshot: 'reused', features: 'reused', graph: 'reused', train: 'done', evaluate: 'done' },
    ...{ publish: 'done', tag: 'skipped' },
  });
  expect(await productionIn(place)).not.toBe(first);
  // It was compared with the model before it.
  expect(result.why[0]).toMatch(/^mAP on all categories: .* of production/);
}, 240_000);

it('more data, a gate that they do not pass: nothing is published, and the next run knows the verdict', async () => {
  const production = await productionIn(place);
  await growData(place, 6);
  await writeConfig(place, {
    train: { headRate: 2e-3 },
    gate: { rules: [{ metric: 'mAP', categories: 'all', against: 101 }] },
  });
  const result = await retrain();
  expect(result).toMatchObject({ outcome: 'rejected', model: null });
  expect(result.why[0]).toContain('must be at least 101');
  expect(states(result)).toMatchObject({ snapshot: 'done', features: 'done', train: 'done' });
  expect(await productionIn(place)).toBe(production);

  const again = await retrain();
  expect(states(again)).toEqual({
    ...{ snapshot: 'reused', features: 'reused', graph: 'reused', train: 'reused', evaluate: 'reused' },
    gate: 'done',
  });
  expect(again).toMatchObject({ outcome: 'rejected' });

  const afresh = await retrain('--from', 'evaluate');
  expect(states(afresh)).toMatchObject({ train: 'reused', evaluate: 'done' });
}, 400_000);

it('a person approves: before that nothing is published, and the decision is in the lineage of the run', async () => {
  await writeConfig(place, { train: { headRate: 2e-3 }, retrain: { approval: true } });
  const production = await productionIn(place);
  const waiting = await c2srt('retrain');
  expect(waiting.code, waiting.stderr).toBe(1);
  expect(waiting.stderr).toContain('the candidate waits for approval');
  expect(await productionIn(place)).toBe(production);
  const run = (await runsIn(place)).at(-1)!;
  const status = await c2srt('status', run);
  expect(status.stdout).toContain('c2srt approve');

  expect((await c2srt('approve', run, '--by', 'a person', '--reason', 'looks right')).code).toBe(0);
  const decided = await c2srt('status', run);
  expect(decided.stdout).toContain('decided  approved by a person');
  expect(decided.stdout).not.toContain('c2srt approve');
  const rejected = await c2srt('reject', run);
  expect(rejected.code).toBe(2);
  expect(rejected.stderr).toContain('a person has approved');
  const resumed = done(await c2srt('resume', run, '--json')) as unknown as RetrainResult;
  expect(resumed).toMatchObject({ outcome: 'published' });
  expect(resumed.stages.find(({ stage }) => stage === 'approval')!.summary).toBe(
    'approved by a person: looks right',
  );
  expect(await productionIn(place)).not.toBe(production);
}, 240_000);

it('a model that was rolled back does not come again by itself', async () => {
  expect((await c2srt('model', 'rollback', './store/models/scenes')).code).toBe(0);
  const production = await productionIn(place);
  expect(await retrain()).toMatchObject({ outcome: 'unchanged' });
  expect(await productionIn(place)).toBe(production);
}, 120_000);
