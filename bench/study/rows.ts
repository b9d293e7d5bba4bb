/** The rows of the study: what is trained, with which settings and which graph. */
import { trainSettingsSchema, type TrainSettings } from '../../data/config/trainSchema.ts';
import { WORLD_RELATIONS, type GraphChoice } from './graphs.ts';

export const FAMILIES = ['fixed-k', 'anchored', 'residual', 'plain'] as const;
/** Rows that share the settings which were chosen for one of them. */
export type Family = (typeof FAMILIES)[number];

export const SECTIONS = ['without training', 'trained', 'parts left out', 'other graphs'] as const;

export interface Row {
  /** As tables and comparisons call it. */
  name: string;
  section: (typeof SECTIONS)[number];
  /** Whose chosen settings it has; null: nothing is trained. */
  family: Family | null;
  /** Over those of the family. */
  settings: Partial<TrainSettings>;
  graph: GraphChoice;
  /** Whether scores get the bias of each category's frequency (bias.ts). */
  biased?: true;
}

const DEFAULTS = trainSettingsSchema.parse({});
const ORACLE: GraphChoice = { kind: 'oracle' };

/** What every row of a family has, whatever is chosen for it. */
export const FAMILY_SETTINGS: Readonly<Record<Family, Partial<TrainSettings>>> = {
  'fixed-k': { form: 'anchored', isr: 'fixed', ist: false },
  anchored: { form: 'anchored' },
  residual: { form: 'residual' },
  plain: { form: 'plain' },
};

/** The form whose graph is varied; `train`'s default. */
const MAIN = DEFAULTS.form;
export const C2SRT = `C²SRT, ${MAIN}`;
export const FIXED_K = 'fixed-k, trained';
export const FIXED_K_BIASED = 'fixed-k, trained, with a bias per category';
export const C2SRT_BIASED = `${C2SRT}, with a bias per category`;
export const CLIP = 'CLIP zero-shot';
export const WITH_FIXED_K = `${C2SRT}: fixed k for ISR`;
export const SHUFFLED = 'shuffled graph';
export const SHUFFLED_WITHIN_KIND = 'sources shuffled within their kind';

const untrained = (name: string, settings: Partial<TrainSettings>): Row => ({
  name,
  section: 'without training',
  family: null,
  settings: { ist: false, ...settings },
  graph: ORACLE,
});
const trained = (name: string, family: Family, more: Partial<Row> = {}): Row => ({
  name,
  section: 'trained',
  family,
  settings: {},
  graph: ORACLE,
  ...more,
});
const withGraph = (name: string, graph: GraphChoice): Row => ({
  ...trained(name, MAIN, { graph }),
  section: 'other graphs',
});

/** @param k the number of patches that was chosen for fixed-k */
export function rowsOf(k: number): Row[] {
  const forms = (['anchored', 'residual', 'plain'] as const).map((form) => ({ form, name: `C²SRT, ${form}` }));
  return [
    untrained(CLIP, { isr: 'off' }),
    untrained('CLIP + the most similar patch', { isr: 'fixed', patches: 1 }),
    untrained('CLIP + ISR', { isr: 'adaptive' }),
    trained(FIXED_K, 'fixed-k'),
    trained(FIXED_K_BIASED, 'fixed-k', { biased: true }),
    ...forms.map(({ form, name }) => trained(name, form)),
    trained(C2SRT_BIASED, MAIN, { biased: true }),
    ...forms.flatMap(({ form, name }) =>
      (
        [
          ['without ISR', { isr: 'off' }],
          ['fixed k for ISR', { isr: 'fixed', patches: k }],
          ['without IST', { ist: false }],
          ['without distillation', { distillation: 0 }],
        ] as const
      ).map(([without, settings]) => ({
        ...trained(`${name}: ${without}`, form, { settings }),
        section: 'parts left out' as const,
      })),
    ),
    withGraph(SHUFFLED, { kind: 'shuffled', within: 'all' }),
    withGraph(SHUFFLED_WITHIN_KIND, { kind: 'shuffled', within: 'kind' }),
    ...WORLD_RELATIONS.flatMap((relation) => [
      withGraph(`only ${relation}`, { kind: 'only', relation }),
      withGraph(`without ${relation}`, { kind: 'without', relation }),
    ]),
    withGraph('WordNet', { kind: 'wordnet' }),
    withGraph('label statistics', { kind: 'labels' }),
    withGraph('WordNet and label statistics', { kind: 'wordnet and labels' }),
  ];
}

/** The settings of a row: `chosen` are those of its family. */
export const settingsOf = (
  { family, settings }: Pick<Row, 'family' | 'settings'>,
  chosen: Partial<TrainSettings>,
  seed: number,
): TrainSettings => ({
  ...DEFAULTS,
  ...(family === null ? {} : FAMILY_SETTINGS[family]),
  ...chosen,
  ...settings,
  seed,
});
