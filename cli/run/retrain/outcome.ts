import type { RetrainResult } from '../../../workflows/retrain/retrainTypes.ts';
import { EXIT } from '../../exit.ts';
import type { RunReference } from '../runReference.ts';
import { stageLine } from './texts.ts';

/** What `retrain --json` prints at the end of a finished run. */
export interface RetrainSummary extends RetrainResult {
  run: string;
  output: string;
  seconds: number;
}

const OUTCOMES: Readonly<Record<RetrainResult['outcome'], string>> = {
  published: 'The candidate is published.',
  unchanged: 'Unchanged: there is nothing new to train on.',
  rejected: 'The candidate is not published.',
};

/** Prints what a finished retraining has come to, and returns the command's exit code. */
export function reportRetrained(
  { id: run, output }: RunReference,
  result: RetrainResult,
  seconds: number,
  json: boolean,
): number {
  const summary: RetrainSummary = { run, output, ...result, seconds: Math.round(seconds * 100) / 100 };
  if (json) console.log(JSON.stringify(summary));
  else
    console.log(
      [
        `Run ${run} finished in ${seconds.toFixed(1)} s. ${OUTCOMES[result.outcome]}`,
        ...result.stages.map((end) => `  ${stageLine(end)}`),
        ...result.why,
        ...(result.model === null
          ? []
          : [`Model:      ${result.model}`, `Where from: c2srt lineage ${result.model}`]),
      ].join('\n'),
    );
  return EXIT.ok;
}
