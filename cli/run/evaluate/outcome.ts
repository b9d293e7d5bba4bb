import type { Interval } from '../../../data/evaluation/metricsFile.ts';
import { GROUPS, SYSTEMS, type Group } from '../../../data/evaluation/systems.ts';
import type { EvaluateResult } from '../../../workflows/evaluate/evaluateTypes.ts';
import { EXIT } from '../../exit.ts';
import { tableLines } from '../../table.ts';
import type { RunReference } from '../runReference.ts';

/** What `evaluate --json` prints at the end of a finished run. */
export interface EvaluateSummary extends EvaluateResult {
  run: string;
  output: string;
  seconds: number;
}

export const evaluateSummary = (
  { id, output }: RunReference,
  result: EvaluateResult,
  seconds: number,
): EvaluateSummary => ({ run: id, ...result, output, seconds: Math.round(seconds * 100) / 100 });

/** Prints the figures of a finished evaluation, and returns the command's exit code. */
export function reportEvaluated(
  run: RunReference,
  result: EvaluateResult,
  seconds: number,
  json: boolean,
): number {
  const summary = evaluateSummary(run, result, seconds);
  console.log(
    json
      ? JSON.stringify(summary)
      : [`Run ${run.id} finished in ${seconds.toFixed(1)} s.`, ...describeEvaluation(summary)].join('\n'),
  );
  return EXIT.ok;
}

const TITLES: Readonly<Record<Group, string>> = {
  unseen: 'ZSL, unseen categories alone',
  all: 'GZSL, all categories',
  seen: 'seen categories alone',
};

/** A table per group of categories: a line per system, a column per figure. */
export function describeEvaluation({
  images,
  failed,
  calibrated,
  systems,
  output,
}: EvaluateSummary): string[] {
  const tables = GROUPS.flatMap((group) => {
    const names = Object.keys(systems.candidate?.[group] ?? {});
    if (names.length === 0) return [];
    const rows = SYSTEMS.flatMap((system) => {
      const figures = systems[system]?.[group];
      return figures ? [[system, ...names.map((name) => intervalText(figures[name]!))]] : [];
    });
    return ['', ...tableLines([TITLES[group], ...names], rows)];
  });
  const unreadable = failed > 0 ? `, ${failed} more could not be read` : '';
  return [
    `${images} images${unreadable}; percent, with bootstrap intervals:`,
    ...tables,
    '',
    ...(calibrated ? ['Calibration: fitted on the validation images, calibration.json'] : []),
    `Report:      ${output}/report.md`,
  ];
}

const intervalText = ({ value, low, high }: Interval): string =>
  `${value.toFixed(2)} (${low.toFixed(2)} - ${high.toFixed(2)})`;
