import type { TagCorpusResult } from '../../workflows/types.ts';
import { EXIT } from '../exit.ts';
import type { FollowOutcome } from './follow.ts';
import type { RunReference } from './runReference.ts';
import { describeError } from '../exit.ts';

/** What `--json` prints at the end of a finished run. */
export interface RunSummary {
  run: string;
  images: number;
  tagged: number;
  failed: number;
  failuresByCode: Record<string, number>;
  /** Number of shards; each has a tags part and a failures part. */
  parts: number;
  output: string;
  seconds: number;
}

export function summaryOf(
  { id, output }: RunReference,
  { images, tagged, failuresByCode, parts }: TagCorpusResult,
  seconds: number,
): RunSummary {
  return {
    run: id,
    images,
    tagged,
    failed: images - tagged,
    failuresByCode,
    parts,
    output,
    seconds: Math.round(seconds * 100) / 100,
  };
}

/** Prints how a run ended, and returns the command's exit code. */
export function reportOutcome(
  run: RunReference,
  outcome: FollowOutcome,
  seconds: number,
  { json, embedded }: { json: boolean; embedded: boolean },
): number {
  const again = embedded
    ? 'The same command, or `c2srt resume`, goes on from there'
    : `It goes on without this command: \`c2srt status ${run.id}\``;
  switch (outcome.kind) {
    case 'finished': {
      const summary = summaryOf(run, outcome.result, seconds);
      console.log(json ? JSON.stringify(summary) : describeSummary(summary));
      return summary.failed > 0 ? EXIT.withFailures : EXIT.ok;
    }
    case 'failed':
      console.error(`Run ${run.id} failed: ${describeError(outcome.failure)}`);
      return EXIT.failed;
    case 'paused':
      console.error(
        `Run ${run.id} is paused: ${outcome.reason}.\n\`c2srt resume ${run.output} --max-failure-rate RATE\` goes on.`,
      );
      return EXIT.failed;
    case 'interrupted':
      console.error(`Run ${run.id} was not started. The same command starts it.`);
      return EXIT.interrupted;
    case 'detached':
      console.error(`Run ${run.id} is not finished. ${again}.`);
      return EXIT.interrupted;
  }
}

function describeSummary({
  run,
  images,
  tagged,
  failed,
  failuresByCode,
  parts,
  output,
  seconds,
}: RunSummary): string {
  const rate = seconds > 0 ? ` (${(images / seconds).toFixed(1)} images/s)` : '';
  const lines = [
    `Run ${run} finished: ${tagged} of ${images} images tagged in ${seconds.toFixed(1)} s${rate}, ${parts} ${parts === 1 ? 'part' : 'parts'}.`,
  ];
  const codes = Object.entries(failuresByCode).sort(([, a], [, b]) => b - a);
  if (failed > 0)
    lines.push(`${failed} failed: ${codes.map(([code, count]) => `${count} ${code}`).join(', ')}.`);
  lines.push(`Tags:     ${output}/tags/*.parquet`, `Failures: ${output}/failures/*.parquet`);
  return lines.join('\n');
}
