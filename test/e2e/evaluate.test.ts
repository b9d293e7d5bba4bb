/** `c2srt evaluate` from the command line, on the real Temporal server. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreementOf } from '../../cli/demo/agreement.ts';
import { readDemoCategories, readDemoLabels } from '../../cli/demo/assets.ts';
import { readParts } from '../../cli/demo/report.ts';
import { readEvaluation, type EvaluationMetrics } from '../../data/evaluation/metricsFile.ts';
import { openStore } from '../../data/store/open.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { applyCalibration, parseCalibration } from '../../model/calibration.ts';
import { judge } from '../../model/evaluation/gate.ts';
import { thresholdOf } from '../../model/tagDecision.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import {
  copyScenes,
  DEMO,
  DEMO_CATEGORIES,
  DEMO_GRAPH,
  DEMO_MODEL,
  scenes,
  trainDemo,
  writeManifest,
} from '../support/demoTraining.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const SCENES = 600;

let place: Workplace;
let temporal: LocalTemporal;
beforeAll(async () => {
  place = await makeWorkplace();
  // Commands attach to this server instead of starting one each.
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  await writeManifest(place.path('test.jsonl'), scenes(0, SCENES));
  await writeManifest(place.path('validation.jsonl'), await copyScenes(scenes(0, 100), place.path('copies')));
  await writeManifest(place.path('few.jsonl'), scenes(0, 40));
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const run = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: place.dir });
/** Later flags go before earlier ones. */
const evaluate = (out: string, ...flags: string[]): Promise<CliResult> =>
  run(
    ...['evaluate', '--data', 'test.jsonl', '--validation', 'validation.jsonl', '--model', DEMO_MODEL],
    ...['--categories', DEMO_CATEGORIES, '--graph', DEMO_GRAPH, '--out', out, ...flags],
  );
const metricsOf = (out: string): Promise<EvaluationMetrics> => readEvaluation(openStore(place.path(out)));
const rowsOf = (out: string) => readParts(place.path(out, 'tags'));

it('gives the figures of the reference; its calibration tags by thresholds', async () => {
  const first = await evaluate('out', '--json');
  expect(first.code, first.stderr).toBe(0);
  const summary = jsonOf(first);
  expect(summary).toMatchObject({ images: SCENES, failed: 0, calibrated: true });
  expect(summary['run']).toMatch(/^evaluate-out-[0-9a-f]{10}$/);

  // Made by PyTorch, on the same scenes.
  const expected = JSON.parse(readFileSync(`${DEMO}expected.json`, 'utf8')) as Record<
    string,
    Record<'ZSL' | 'GZSL', Record<string, number>>
  >;
  const { systems, differences } = await metricsOf('out');
  for (const [name, system] of [
    ['CLIP zero-shot (global)', 'clip'],
    ['training-free CLIP+ISR tau 0.1', 'clip-isr'],
    ['training-free CLIP+ISR tau 0.1', 'candidate'],
  ] as const)
    for (const [protocol, group] of [
      ['ZSL', 'unseen'],
      ['GZSL', 'all'],
    ] as const)
      for (const [figure, value] of Object.entries(expected[name]![protocol])) {
        const found = systems[system]!.groups[group]!.figures[figure]!;
        expect(Math.abs(found.value - value), `${system} ${group} ${figure}`).toBeLessThan(0.05);
      }
  expect(differences['clip-isr']!.all!['mAP']).toEqual({ value: 0, low: 0, high: 0 });

  const told = await evaluate('out');
  expect(told.stdout).toMatch(/is finished already\.[^]*\n {2}fixed-k +\d/);
  const other = await evaluate('out', '--resamples', '10');
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(/\n {2}settings\.resamples: 1000 -> 10\n/);
  expect(jsonOf(await run('status', './out', '--json'))).toMatchObject({
    ...{ run: summary['run'], kind: 'evaluate', state: 'finished', images: SCENES, imagesDone: SCENES },
  });
  expect(existsSync(place.path('out', '_scores'))).toBe(false);
  expect(await readFile(place.path('out', 'report.md'), 'utf8')).toMatch(/## All categories \(GZSL\)/);

  // What publishing does: the calibration goes with the model.
  cpSync(DEMO_MODEL, place.path('calibrated'), { recursive: true });
  await copyFile(place.path('out', 'calibration.json'), place.path('calibrated', 'calibration.json'));
  const tag = (out: string, model: string, ...flags: string[]) =>
    run(
      ...['tag', place.path('copies'), '--model', model, '--categories', DEMO_CATEGORIES],
      ...['--graph', DEMO_GRAPH, '--out', out, ...flags],
    );
  expect((await tag('raw', DEMO_MODEL, '--top-k', '191')).code).toBe(0);
  expect((await tag('tags', './calibrated')).code).toBe(0);
  const calibration = parseCalibration(await readFile(place.path('out', 'calibration.json'), 'utf8'), '');
  const raw = new Map((await rowsOf('raw')).map(({ key, tags }) => [key, tags]));
  let tags = 0;
  for (const row of await rowsOf('tags')) {
    const wanted = raw
      .get(row.key)!
      .map((tag) => ({ ...tag, score: applyCalibration(tag.score, calibration), rawScore: tag.score }))
      .filter(({ label, score }) => score >= thresholdOf(calibration, label));
    expect(row.tags).toEqual(wanted);
    tags += wanted.length;
  }
  expect(tags).toBeGreaterThan(100);
}, 300_000);

it('evaluates a trained model on its own graph as tagging does, beside the one in production', async () => {
  await writeFile(
    place.path('c2srt.yaml'),
    'train: { batchSize: 8, localSteps: 5, headRate: 0.01, validationShare: 0 }\nevaluate: { shardSize: 16, withoutPositives: dropped }\n',
  );
  await writeManifest(place.path('train.jsonl'), await copyScenes(scenes(40, 80), place.path('trained')));
  const trained = await run(...trainDemo('model', '--epochs', '2', '--json'));
  expect(trained.code, trained.stderr).toBe(0);
  const result = await run(
    ...['evaluate', '--data', 'few.jsonl', '--model', './model', '--categories', DEMO_CATEGORIES],
    ...['--production', DEMO_MODEL, '--out', 'compared', '--json'],
  );
  expect(result.code, result.stderr).toBe(0);
  expect(jsonOf(result)).toMatchObject({ images: 40, calibrated: false });

  const metrics = await metricsOf('compared');
  expect(metrics.withoutCalibration).toBe('no validation images were given');
  // The baselines run on what the model was trained from.
  const { hash, groups } = metrics.systems.production!;
  expect(metrics.systems.clip!.hash).toBe(hash);
  expect(metrics.systems.candidate!.hash).not.toBe(hash);
  expect(groups.all!.figures).toEqual(metrics.systems['clip-isr']!.groups.all!.figures);

  const tagged = await run(
    ...['tag', `${DEMO}scenes`, '--model', './model', '--categories', DEMO_CATEGORIES, '--top-k', '191'],
    ...['--include', '00[0-3]?.jpg', '--out', 'scores', '--json'],
  );
  expect(tagged.code, tagged.stderr).toBe(0);
  const rows = (await rowsOf('scores')).filter(({ key }) => key < '0040.jpg');
  const labels = new Map([...readDemoLabels()].filter(([key]) => key < '0040.jpg'));
  expect(rows).toHaveLength(40);
  const { ZSL, GZSL } = agreementOf(rows, labels, readDemoCategories());
  const own = metrics.systems.candidate!.groups;
  expect(own.unseen!.figures['mAP']!.value).toBeCloseTo(ZSL.mAP, 9);
  expect(own.all!.figures['mAP']!.value).toBeCloseTo(GZSL.mAP, 9);
  // Every scene has a label, so both protocols agree where all categories are scored.
  expect(own.all!.figures['F1@3']!.value).toBeCloseTo(GZSL['F1@3'], 9);
  expect(own.unseen!.otherProtocol['F1@5']!.value).toBeCloseTo(ZSL['F1@5'], 9);

  const rule = { metric: 'mAP', categories: 'all', against: 'production', test: 'difference' } as const;
  expect(judge([{ ...rule, tolerance: 100 }], metrics)).toMatchObject({ passed: true });
}, 300_000);

it.each([
  ['a manifest that is not there', ['--data', 'none.jsonl'], /none\.jsonl/],
  ['a folder without a snapshot', ['--data', './copies'], /copies holds no snapshot/],
  ['production that is no model', ['--production', './copies'], /copies has no config\.json/],
  ['a flag that cannot be', ['--calibration', 'platt'], /^--calibration is "platt"/],
])('%s is said before anything is written', async (_, flags, message) => {
  const result = await evaluate('nothing', ...flags);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
  expect(existsSync(place.path('nothing'))).toBe(false);
});

it('images that the calibration is fitted on must not be tested on', async () => {
  const result = await evaluate('overlap', '--data', 'few.jsonl', '--validation', 'test.jsonl');
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/both tested on and among the validation images/);
}, 120_000);
