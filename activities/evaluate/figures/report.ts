import type { EvaluationMetrics, Interval } from '../../../data/evaluation/metricsFile.ts';
import type { CategoryFigures } from '../../../data/evaluation/perCategoryFile.ts';
import { GROUPS, SYSTEMS, type Group } from '../../../data/evaluation/systems.ts';
import type { EvaluateRecord } from '../../../data/run/record.ts';

/** Categories named at each end of the list of changes. */
const NAMED = 10;

const TITLES: Readonly<Record<Group, string>> = {
  unseen: 'Unseen categories alone (ZSL)',
  all: 'All categories (GZSL)',
  seen: 'Seen categories alone',
};

/** `report.md`: the figures as people read them. */
export function reportPage(
  { id }: EvaluateRecord,
  metrics: EvaluationMetrics,
  categories: readonly CategoryFigures[],
): string {
  const { test, images, failed, bootstrap, systems, withoutPositives } = metrics;
  const percent = `${(100 * bootstrap.confidence).toFixed(0)} %`;
  const lines = [
    '# Evaluation',
    '',
    '| | |',
    '|---|---|',
    `| run | ${id} |`,
    `| test images | ${images} of ${test.uri} (${test.hash.slice(0, 16)}) |`,
    ...(failed.images > 0 ? [`| unreadable | ${failed.images} |`] : []),
    ...SYSTEMS.flatMap((system) => {
      const own = systems[system];
      return own ? [`| ${system} | ${own.model} (${own.hash.slice(0, 16)}) |`] : [];
    }),
    '',
    `Percent, with intervals of ${percent} from ${bootstrap.resamples} bootstrap samples of the images. Images without a positive label are ${withoutPositives} for F1.`,
    '',
    ...GROUPS.flatMap((group) => groupTable(group, metrics)),
    ...calibrationLines(metrics),
    ...changes(categories),
  ];
  return `${lines.join('\n')}\n`;
}

function groupTable(group: Group, { systems, differences, topK }: EvaluationMetrics): string[] {
  const counted = systems.candidate?.groups[group];
  if (!counted) return [];
  const names = ['mAP', ...topK.map((k) => `F1@${k}`)];
  return [
    `## ${TITLES[group]}`,
    '',
    `${counted.categories} categories, ${counted.categoriesWithPositives} of them present in a test image.`,
    '',
    `| | ${names.map((name) => `${name} | candidate's gain`).join(' | ')} |`,
    `|---|${names.map(() => '---|---|').join('')}`,
    ...SYSTEMS.flatMap((system) => {
      const figures = systems[system]?.groups[group]?.figures;
      if (!figures) return [];
      const gains = differences[system]?.[group];
      const cells = names.map((name) => {
        const gain = gains?.[name];
        return `${intervalText(figures[name]!)} | ${gain ? intervalText(gain, true) : ''}`;
      });
      return [`| ${system} | ${cells.join(' | ')} |`];
    }),
    '',
  ];
}

function calibrationLines({ calibration, withoutCalibration }: EvaluationMetrics): string[] {
  if (!calibration) return ['## Calibration', '', `None: ${withoutCalibration ?? ''}.`, ''];
  return [
    '## Calibration',
    '',
    `Fitted on the validation images. ${calibration.ownThresholds} categories have a threshold of their own, the others ${calibration.fallbackThreshold.toFixed(4)}. On the test images:`,
    '',
    '| categories | precision | recall | F1 | calibration error |',
    '|---|---|---|---|---|',
    ...GROUPS.flatMap((group) => {
      const own = calibration.groups[group];
      if (!own) return [];
      const { precision, recall, f1, ece } = own;
      return [
        `| ${group} | ${precision.toFixed(2)} | ${recall.toFixed(2)} | ${f1.toFixed(2)} | ${ece.toFixed(4)} |`,
      ];
    }),
    '',
  ];
}

/** Categories whose average precision differs most from production's. */
function changes(categories: readonly CategoryFigures[]): string[] {
  const changed = categories
    .flatMap(({ name, positives, ap: { candidate, production } }) =>
      candidate && production && positives > 0
        ? [{ name, positives, from: production.value, to: candidate.value }]
        : [],
    )
    .sort((a, b) => b.to - b.from - (a.to - a.from));
  if (changed.length === 0) return [];
  const shown =
    changed.length <= 2 * NAMED ? changed : [...changed.slice(0, NAMED), ...changed.slice(-NAMED)];
  return [
    '## Categories that changed most against production',
    '',
    '| category | test images with it | production AP | candidate AP |',
    '|---|---|---|---|',
    ...shown.map(
      ({ name, positives, from, to }) =>
        `| ${cellText(name)} | ${positives} | ${from.toFixed(2)} | ${to.toFixed(2)} |`,
    ),
    '',
  ];
}

const cellText = (text: string): string => text.replace(/[\\|]/g, (character) => `\\${character}`);

function intervalText({ value, low, high }: Interval, signed = false): string {
  const sign = signed && value >= 0 ? '+' : '';
  return `${sign}${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
