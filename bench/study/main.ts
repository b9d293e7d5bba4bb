/**
 * What each part of C²SRT brings on the benchmark world: rows with and without it, tuned on validation scenes, tested once.
 *
 *     npm run study [-- --seeds 5] [--model DIR] [--work DIR] [--out DIR] [--quick]
 *
 * Runs are kept in the work folder: the same command goes on with what is there. `--quick` takes few scenes and one
 * epoch: it shows that everything runs, and nothing about the method. Writes `study.json` and, made of it, `study.md`.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { TrainSettings } from '../../data/config/trainSchema.ts';
import { openStore } from '../../data/store/open.ts';
import { makeWorld } from '../../data/world/makeWorld.ts';
import { WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { withBias } from './bias.ts';
import { compare, resampleRuns, standardDeviation } from './comparisons.ts';
import { edgesOf } from './graphs.ts';
import { Kept } from './kept.ts';
import { Lab, type Scenes } from './lab.ts';
import { FIGURES, mean, measure, PROTOCOLS, type Measures } from './measures.ts';
import { studyPage } from './page.ts';
import { FAMILIES, rowsOf, settingsOf, type Family, type Row } from './rows.ts';
import { COMPARED, type Study, type StudyRow } from './study.ts';
import { tune, type Tuned } from './tuning.ts';

const repository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const { values: flags } = parseArgs({
  options: {
    /** Seeds 0 to N - 1 of everything that is trained. */
    seeds: { type: 'string', default: '5' },
    model: { type: 'string', default: repository('assets/demo/model') },
    work: { type: 'string', default: repository('study') },
    out: { type: 'string', default: repository('docs') },
    quick: { type: 'boolean', default: false },
  },
});

const { quick } = flags;
const seeds = Number(flags.seeds);
if (!(Number.isInteger(seeds) && seeds > 0))
  throw new Error(`--seeds is ${flags.seeds}: expected a whole number above 0`);
const SIZES = quick ? { train: 320, val: 150, test: 150 } : { train: 3000, val: 1000, test: 1500 };
/** Of every training. */
const BASE: Partial<TrainSettings> = quick ? { epochs: 1 } : {};
const QUARTERS = quick ? [0] : [0, 1];

const startedMs = performance.now();
const work = resolve(flags.work);
const report = (line: string): void =>
  console.log(`${((performance.now() - startedMs) / 60_000).toFixed(1)} min  ${line}`);

const SEEN = WORLD_CATEGORIES.flatMap(({ split }, i) => (split === 'seen' ? [i] : []));
const UNSEEN = new Set(WORLD_CATEGORIES.flatMap(({ split }, i) => (split === 'unseen' ? [i] : [])));
const ALL = WORLD_CATEGORIES.map((_, i) => i);

async function scenes(lab: Lab, split: keyof typeof SIZES): Promise<Scenes> {
  const folder = join(work, 'scenes', `${split}-${SIZES[split]}`);
  await makeWorld(openStore(folder), { domain: 'target', split, seed: 0, count: SIZES[split] });
  return lab.scenes(folder);
}

const model = createHash('sha256')
  .update(await readFile(join(flags.model, 'model.safetensors')))
  .digest('hex');
const kept = new Kept(join(work, 'kept'), { model, SIZES, BASE });
await mkdir(work, { recursive: true });
const lab = await Lab.open(flags.model);
try {
  await study(lab);
} finally {
  await lab.close();
}

async function study(lab: Lab): Promise<void> {
  const train = await scenes(lab, 'train');
  const validation = await scenes(lab, 'val');
  report('scenes are there; settings are chosen on validation scenes');
  const tuning: Partial<Record<Family, Tuned>> = {};
  for (const family of FAMILIES)
    tuning[family] = await kept.of(['tune', family, QUARTERS], () =>
      tune(lab, { train, validation }, family, BASE, { quarters: QUARTERS, quick, report }),
    );
  const tuned = tuning as Record<Family, Tuned>;

  const test = await scenes(lab, 'test');
  const rows = rowsOf(tuned['fixed-k'].settings.patches ?? 8);
  const runs = new Map<Row, Measures[]>();
  for (let seed = 0; seed < seeds; seed++)
    for (const row of rows) {
      // Nothing of what is not trained depends on the seed.
      if (row.family === null && seed > 0) continue;
      const measured = await run(lab, row, seed, tuned, { train, test });
      runs.set(row, [...(runs.get(row) ?? []), measured]);
      const { ZSL, GZSL } = measured;
      report(
        `seed ${seed}, ${row.name}: ZSL ${ZSL.figures.mAP.toFixed(2)} / ${ZSL.figures['F1@3'].toFixed(2)}, GZSL ${GZSL.figures.mAP.toFixed(2)} / ${GZSL.figures['F1@3'].toFixed(2)}`,
      );
    }

  const byName = new Map([...runs].map(([row, own]) => [row.name, own]));
  const compared = COMPARED.map(([a, b]) => ({ a, b, runs: [byName.get(a)!, byName.get(b)!] as const }));
  const resampled = await resampleRuns([...new Set(compared.flatMap(({ runs: pair }) => pair.flat()))]);
  const result: Study = {
    quick,
    seeds,
    model,
    scenes: SIZES,
    epochs: settingsOf(rows[0]!, BASE, 0).epochs,
    tuning: tuned,
    rows: [...runs].map(([row, own]) => summary(row, own, tuned)),
    comparisons: compared.map(({ a, b, runs: pair }) => ({
      a,
      b,
      differences: compare(...pair, resampled),
    })),
    minutes: (performance.now() - startedMs) / 60_000,
  };
  await mkdir(flags.out, { recursive: true });
  await writeFile(join(flags.out, 'study.json'), `${JSON.stringify(result, rounded, 1)}\n`);
  await writeFile(join(flags.out, 'study.md'), await studyPage(result));
  report(`${join(flags.out, 'study.md')} and study.json are written`);
}

async function run(
  lab: Lab,
  row: Row,
  seed: number,
  tuned: Record<Family, Tuned>,
  { train, test }: { train: Scenes; test: Scenes },
): Promise<Measures> {
  const chosen = row.family === null ? {} : tuned[row.family].settings;
  const settings = settingsOf(row, { ...BASE, ...chosen }, seed);
  const weight = row.biased ? tuned[row.family!].biasWeight : 0;
  return kept.of(['run', settings, row.family === null, row.graph, weight], async () => {
    const labels = train.present.map((present) => present.filter((category) => !UNSEEN.has(category)));
    const edges = edgesOf(row.graph, labels, seed);
    const parameters =
      row.family === null
        ? lab.untrained(settings)
        : await lab.train(train, { settings, categories: SEEN, edges });
    const scores = await lab.score(test, { settings, categories: ALL, edges }, parameters);
    const shifted = weight === 0 ? scores : withBias(scores, ALL, labels, SEEN, weight);
    return measure(test, shifted, ALL, UNSEEN);
  });
}

function summary(row: Row, runs: readonly Measures[], tuned: Record<Family, Tuned>): StudyRow {
  const { name, section, family, graph, settings } = row;
  const chosen = family === null ? {} : tuned[family].settings;
  return {
    name,
    section,
    family,
    graph,
    settings: { ...chosen, ...settings },
    runs: runs.length,
    figures: Object.fromEntries(
      PROTOCOLS.map((protocol) => [
        protocol,
        Object.fromEntries(
          FIGURES.map((figure) => {
            const values = runs.map((one) => one[protocol].figures[figure]);
            return [figure, { mean: mean(values), sd: standardDeviation(values) }];
          }),
        ),
      ]),
    ) as StudyRow['figures'],
    byKind: Object.fromEntries(
      PROTOCOLS.map((protocol) => [
        protocol,
        Object.fromEntries(
          Object.keys(runs[0]![protocol].byKind).map((kind) => [
            kind,
            mean(runs.map((one) => one[protocol].byKind[kind as keyof Measures['ZSL']['byKind']]!)),
          ]),
        ),
      ]),
    ) as StudyRow['byKind'],
  };
}

/** Figures to four decimals: more is noise in a diff. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Math.round(1e4 * value) / 1e4 : value;
}
