/**
 * Chooses settings on validation scenes. The truly unseen categories take no part: of the seen ones a quarter is held
 * back from training and scored as if unseen, in turn. Every family is given as many runs as any other.
 */
import type { TrainSettings } from '../../data/config/trainSchema.ts';
import { WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { holdBack } from '../world/data.ts';
import { withBias } from './bias.ts';
import { edgesOf } from './graphs.ts';
import type { Lab, Scenes } from './lab.ts';
import { FIGURES, mean, measure, PROTOCOLS, type Measures } from './measures.ts';
import { FAMILY_SETTINGS, settingsOf, type Family } from './rows.ts';

/** One after the other, settings are varied, and the best of each is kept for the next. The first is the default. */
type Grid = readonly { [Name in keyof TrainSettings]?: readonly TrainSettings[Name][] }[];

const COMMON: Grid = [{ distillation: [0.1, 0, 1] }, { encoderRate: [3e-4, 1e-4, 1e-3] }];
const ADAPTIVE: Grid = [{ tau: [0.1, 0.03, 0.05, 0.2, 0.5] }, ...COMMON];
const GRIDS: Readonly<Record<Family, Grid>> = {
  'fixed-k': [{ patches: [8, 1, 4, 16, 32] }, ...COMMON],
  anchored: ADAPTIVE,
  residual: ADAPTIVE,
  plain: ADAPTIVE,
};
const BIAS_WEIGHTS = [0, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1];

/** Settings that were tried. */
export interface Tried {
  settings: Partial<TrainSettings>;
  /** Mean of ZSL and GZSL mAP and F1@3 over the quarters, in percent. */
  score: number;
}

export interface Tuned {
  settings: Partial<TrainSettings>;
  tried: Tried[];
  /** Trainings that this took. */
  validationRuns: number;
  biasWeight: number;
}

export interface TuningScenes {
  train: Scenes;
  validation: Scenes;
}

export interface TuningOptions {
  /** Quarters of the seen categories that are held back in turn. */
  quarters: readonly number[];
  /** Takes only the first two values of each setting. */
  quick: boolean;
  report(line: string): void;
}

export async function tune(
  lab: Lab,
  scenes: TuningScenes,
  family: Family,
  base: Partial<TrainSettings>,
  { quarters, quick, report }: TuningOptions,
): Promise<Tuned> {
  let best: Tried = { settings: {}, score: -Infinity };
  const tried: Tried[] = [];
  let validationRuns = 0;
  const attempt = async (settings: Partial<TrainSettings>): Promise<void> => {
    const scores: number[] = [];
    for (const quarter of quarters) {
      scores.push(scoreOf((await runHeldBack(lab, scenes, family, { ...base, ...settings }, quarter)).measured));
      validationRuns++;
    }
    const one = { settings, score: mean(scores) };
    tried.push(one);
    report(`${family} ${JSON.stringify(settings)}: ${one.score.toFixed(2)}`);
    if (one.score > best.score) best = one;
  };
  await attempt({});
  for (const varied of GRIDS[family])
    for (const [name, values] of Object.entries(varied))
      for (const value of values.slice(1, quick ? 2 : undefined))
        await attempt({ ...best.settings, [name]: value });

  const biased = new Map(BIAS_WEIGHTS.map((weight) => [weight, [] as number[]]));
  for (const quarter of quarters) {
    const run = await runHeldBack(lab, scenes, family, { ...base, ...best.settings }, quarter);
    validationRuns++;
    for (const [weight, scores] of biased) {
      const shifted = withBias(run.scores, run.categories, scenes.train.present, run.trained, weight);
      scores.push(scoreOf(measure(scenes.validation, shifted, run.categories, run.heldBack)));
    }
  }
  const [biasWeight] = [...biased].reduce((a, b) => (mean(b[1]) > mean(a[1]) ? b : a));
  report(`${family}: ${JSON.stringify(best.settings)}, bias ${biasWeight}`);
  return { settings: best.settings, tried, validationRuns, biasWeight };
}

async function runHeldBack(
  lab: Lab,
  { train, validation }: TuningScenes,
  family: Family,
  settings: Partial<TrainSettings>,
  quarter: number,
): Promise<{
  measured: Measures;
  scores: Float32Array;
  categories: number[];
  trained: number[];
  heldBack: Set<number>;
}> {
  const names = new Map(WORLD_CATEGORIES.map(({ name }, i) => [name, i]));
  const seen = holdBack(WORLD_CATEGORIES, quarter);
  const categories = seen.map(({ name }) => names.get(name)!);
  const trained = seen.filter(({ split }) => split === 'seen').map(({ name }) => names.get(name)!);
  const heldBack = new Set(categories.filter((category) => !trained.includes(category)));
  const all = settingsOf({ family, settings: {} }, { ...FAMILY_SETTINGS[family], ...settings }, 0);
  const edges = edgesOf({ kind: 'oracle' }, [], 0);
  const parameters = await lab.train(train, { settings: all, categories: trained, edges });
  const scores = await lab.score(validation, { settings: all, categories, edges }, parameters);
  return { measured: measure(validation, scores, categories, heldBack), scores, categories, trained, heldBack };
}

const scoreOf = (measured: Measures): number =>
  mean(
    PROTOCOLS.flatMap((protocol) =>
      FIGURES.filter((name) => name !== 'F1@5').map((name) => measured[protocol].figures[name]),
    ),
  );
