/** The short study, as anyone runs it; what needs no training agrees with `c2srt evaluate`. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WORLD_RELATIONS } from '../../bench/study/graphs.ts';
import { CLIP, FIXED_K, SHUFFLED_WITHIN_KIND } from '../../bench/study/rows.ts';
import type { Study } from '../../bench/study/study.ts';
import { runCli } from '../support/cli.ts';
import { DEMO_MODEL } from '../support/demoTraining.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
let study: Study;
let page: string;

const run = (): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, [
    ...['bench/study/main.ts', '--seeds', '1', '--quick', '--model', DEMO_MODEL],
    ...['--work', place.path('work'), '--out', place.path('out')],
  ]);

beforeAll(async () => {
  place = await makeWorkplace();
  await run();
  study = JSON.parse(await readFile(place.path('out', 'study.json'), 'utf8')) as Study;
  page = await readFile(place.path('out', 'study.md'), 'utf8');
}, 900_000);
afterAll(() => place.clear());

it('has every row, with figures, and says what it is of', () => {
  const names = study.rows.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const form of ['anchored', 'residual', 'plain'])
    expect(names.filter((name) => name.startsWith(`C²SRT, ${form}`)).length).toBeGreaterThanOrEqual(5);
  for (const relation of WORLD_RELATIONS)
    expect(names).toEqual(expect.arrayContaining([`only ${relation}`, `without ${relation}`]));
  expect(names).toEqual(
    expect.arrayContaining([CLIP, FIXED_K, SHUFFLED_WITHIN_KIND, 'WordNet', 'label statistics']),
  );
  for (const { name, figures } of study.rows) {
    const values = Object.values(figures).flatMap((own) => Object.values(own).map(({ mean }) => mean));
    expect(values.length, name).toBe(6);
    expect(values.every((value) => value > 0 && value < 100), `${name}: ${values.join()}`).toBe(true);
    expect(page).toContain(`| ${name} `);
  }
  expect(page).toContain('This is the short study');
});

it('gives every family as many trainings on validation scenes', () => {
  const counts = Object.values(study.tuning).map(({ validationRuns }) => validationRuns);
  expect(new Set(counts).size).toBe(1);
});

it('agrees with c2srt evaluate about what is not trained', async () => {
  const test = place.path('work', 'scenes', `test-${study.scenes.test}`);
  const evaluated = await runCli(
    [
      ...['evaluate', '--data', `${test}/manifest.jsonl`, '--categories', `${test}/categories.json`],
      ...['--model', DEMO_MODEL, '--out', './figures', '--json', '--resamples', '10'],
    ],
    { cwd: place.dir },
  );
  expect(evaluated.code, evaluated.stderr).toBe(0);
  const { systems } = JSON.parse(await readFile(place.path('figures', 'metrics.json'), 'utf8')) as Metrics;
  for (const [row, system] of [
    [CLIP, 'clip'],
    ['CLIP + ISR', 'clip-isr'],
  ] as const) {
    const { figures } = study.rows.find(({ name }) => name === row)!;
    for (const [protocol, group] of [
      ['ZSL', 'unseen'],
      ['GZSL', 'all'],
    ] as const)
      for (const figure of ['mAP', 'F1@3', 'F1@5'] as const)
        expect(figures[protocol][figure].mean).toBeCloseTo(systems[system]!.groups[group]!.figures[figure]!.value, 1);
  }
}, 240_000);

it('goes on with what is there', async () => {
  const { stdout } = await run();
  expect(stdout).not.toMatch(/anchored \{/);
  const again = JSON.parse(await readFile(place.path('out', 'study.json'), 'utf8')) as Study;
  expect({ ...again, minutes: 0 }).toEqual({ ...study, minutes: 0 });
}, 240_000);

interface Metrics {
  systems: Record<string, { groups: Record<string, { figures: Record<string, { value: number }> }> }>;
}
