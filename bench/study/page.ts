/** docs/study.md, made of the study's JSON alone. */
import { format, resolveConfig } from 'prettier';
import { FIGURES, PROTOCOLS, type Figure, type Protocol } from './measures.ts';
import { FAMILIES, SECTIONS } from './rows.ts';
import type { Difference } from './comparisons.ts';
import {
  GOALS,
  verdictOf,
  type Comparison,
  type Goal,
  type Spread,
  type Study,
  type StudyRow,
  type Verdict,
} from './study.ts';

export async function studyPage(study: Study): Promise<string> {
  const text = [head(study), verdicts(study), tables(study), kinds(study), comparisons(study), tuning(study), foot];
  return format(text.join('\n\n'), { ...(await resolveConfig('docs/study.md')), parser: 'markdown' });
}

const SAID: Readonly<Record<Verdict, string>> = {
  reached: 'reached',
  partly: 'better, but by less',
  not: '**not reached**',
};

function head({ quick, seeds, model, scenes, epochs, minutes }: Study): string {
  return `# The study: what each part of C²SRT brings

${
  quick
    ? '**This is the short study: too few scenes and steps to say anything about the method.**\n\n'
    : ''
}Rows with and without each part of the method, on scenes of the [benchmark world](world.md): ${count(scenes.train)} to train on,
${count(scenes.val)} in another artist's style to choose settings with, ${count(scenes.test)} in a third one's to test on, once; ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} and ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}. The checkpoint is the
bundled one (\`model.safetensors\` ${model.slice(0, 12)}). This page is made of [study.json](study.json) by

\`\`\`sh
npm run study -- --seeds ${seeds}${quick ? ' --quick' : ''}
\`\`\`

which took ${Math.round(minutes)} minutes here and goes on where it was cut off. 191 categories, of which 62 were never trained on: ZSL is scored
over these alone, GZSL over all. The graph is nearly an oracle for co-occurrence, since scenes are drawn from the same
table ([world](world.md#the-graph)); \`WordNet\` and \`label statistics\` are graphs that anyone has.`;
}

function verdicts({ comparisons: compared }: Study): string {
  const lines = GOALS.map((goal) => {
    const difference = find(compared, goal).differences[goal.protocol][goal.figure];
    return row([
      goal.claim,
      `${goal.protocol} ${goal.figure}`,
      goal.b,
      `+${goal.least}`,
      differenceText(difference),
      SAID[verdictOf(goal, difference)],
    ]);
  });
  return `## Verdicts

Each line is a gain of ${GOALS[0]!.a} that was aimed at before anything was measured. It is reached where the gain is as large and
its interval lies above 0.

${table(['claim', 'figure', 'over', 'aim', 'measured', 'verdict'], lines)}`;
}

function tables({ rows, seeds }: Study): string {
  const columns = PROTOCOLS.flatMap((protocol) => FIGURES.map((figure) => ({ protocol, figure })));
  return `## Figures

In percent${seeds > 1 ? `, mean ± standard deviation over ${seeds} seeds` : ''}; nothing of the first rows depends on a seed.

${table(
  ['', ...columns.map(({ protocol, figure }) => `${protocol} ${figure}`)],
  SECTIONS.flatMap((section) => [
    row([`**${section}**`, ...columns.map(() => '')]),
    ...rows
      .filter((one) => one.section === section)
      .map((one) =>
        row([one.name, ...columns.map(({ protocol, figure }) => spreadText(one.figures[protocol][figure]))]),
      ),
  ]),
)}`;
}

function kinds({ rows }: Study): string {
  const columns = PROTOCOLS.flatMap((protocol) =>
    Object.keys(rows[0]!.byKind[protocol]).map((kind) => ({ protocol, kind })),
  );
  const value = ({ byKind }: StudyRow, protocol: Protocol, kind: string): string =>
    byKind[protocol][kind as keyof StudyRow['byKind']['ZSL']]?.toFixed(1) ?? '';
  return `## mAP by kind of category

${table(
  ['', ...columns.map(({ protocol, kind }) => `${protocol} ${kind}`)],
  rows.map((one) => row([one.name, ...columns.map(({ protocol, kind }) => value(one, protocol, kind))])),
)}`;
}

function comparisons({ comparisons: compared, seeds }: Study): string {
  const figures: readonly [Protocol, Figure][] = PROTOCOLS.flatMap((protocol) =>
    FIGURES.map((figure): [Protocol, Figure] => [protocol, figure]),
  );
  return `## Differences

Points, row less row, seed by seed on the same images: the same seed draws the same batches, first parameters and
permutations. In brackets 95 % of 2,000 resamples of seeds and images${seeds > 1 ? '; p is of the paired t test over the seeds' : ''}.

${table(
  ['', ...figures.map(([protocol, figure]) => `${protocol} ${figure}`)],
  compared.map(({ a, b, differences }) =>
    row([
      `${a} − ${b}`,
      ...figures.map(([protocol, figure]) => differenceText(differences[protocol][figure])),
    ]),
  ),
)}`;
}

function tuning({ tuning: tuned }: Study): string {
  return `## How settings were chosen

On validation scenes alone, without the unseen categories: a quarter of the seen ones is held back from training and
scored as if unseen, and what counts is the mean of ZSL and GZSL mAP and F1@3. Settings are varied one after the other.
Every family has as many trainings as any other; rows with parts left out and other graphs have the settings of their
family.

${table(
  ['family', 'trainings', 'chosen, where not the default', 'score', 'of the defaults', 'weight of the bias'],
  FAMILIES.map((family) => {
    const { settings, tried, validationRuns, biasWeight } = tuned[family];
    const best = Math.max(...tried.map(({ score }) => score));
    const chosen = Object.entries(settings).map(([name, value]) => `\`${name}: ${String(value)}\``);
    return row([
      family,
      String(validationRuns),
      chosen.join(', '),
      best.toFixed(2),
      tried[0]!.score.toFixed(2),
      String(biasWeight),
    ]);
  }),
)}`;
}

const foot = `## On other data

\`c2srt evaluate\` makes the table of one model on any images with labels, beside CLIP, CLIP + ISR and fixed-k patches, with
the same figures and intervals ([evaluation](evaluation.md)); settings of \`train\` name every row above
([configuration](configuration.md)).`;

const find = (compared: readonly Comparison[], { a, b }: Goal): Comparison =>
  compared.find((one) => one.a === a && one.b === b)!;

const count = (n: number): string => n.toLocaleString('en');

const spreadText = ({ mean, sd }: Spread): string => mean.toFixed(2) + (sd === null ? '' : ` ± ${sd.toFixed(2)}`);

function differenceText({ mean, interval, p }: Difference): string {
  const test = p === null ? '' : `, p ${p < 0.001 ? '< 0.001' : p.toFixed(3)}`;
  return `${signed(mean)} (${signed(interval[0])} to ${signed(interval[1])}${test})`;
}

const signed = (value: number): string => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(2);

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (names: readonly string[], lines: readonly string[]): string =>
  [row(names), row(names.map(() => '---')), ...lines].join('\n');
