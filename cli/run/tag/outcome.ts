import type { TagCorpusResult } from '../../../workflows/tag/tagTypes.ts';
import { EXIT } from '../../exit.ts';
import type { RunReference } from '../runReference.ts';

/** What `tag --json` prints at the end of a finished run. */
export interface TagSummary {
  run: string;
  images: number;
  tagged: number;
  failed: number;
  failuresByCode: Record<string, number>;
  /** Number of shards; each has a tags part and a failures part. */
  parts: number;
  /** What the rows' scores are: in [0, 1], or cosines as a model without calibration gives; null: not known. */
  scores: 'calibrated' | 'raw' | null;
  output: string;
  seconds: number;
}

export function tagSummary(
  { id, output }: RunReference,
  { images, tagged, failuresByCode, parts, scores }: TagCorpusResult,
  seconds: number,
): TagSummary {
  return {
    run: id,
    images,
    tagged,
    failed: images - tagged,
    failuresByCode,
    parts,
    scores: scores ?? null,
    output,
    seconds: Math.round(seconds * 100) / 100,
  };
}

/** Prints what a finished run has come to, and returns the command's exit code. */
export function reportTagged(
  run: RunReference,
  result: TagCorpusResult,
  seconds: number,
  json: boolean,
): number {
  const summary = tagSummary(run, result, seconds);
  console.log(json ? JSON.stringify(summary) : describeSummary(summary));
  return summary.failed > 0 ? EXIT.withFailures : EXIT.ok;
}

function describeSummary({
  run,
  images,
  tagged,
  failed,
  failuresByCode,
  parts,
  scores,
  output,
  seconds,
}: TagSummary): string {
  const rate = seconds > 0 ? ` (${(images / seconds).toFixed(1)} images/s)` : '';
  const lines = [
    `Run ${run} finished: ${tagged} of ${images} images tagged in ${seconds.toFixed(1)} s${rate}, ${parts} ${parts === 1 ? 'part' : 'parts'}.`,
  ];
  const codes = Object.entries(failuresByCode).sort(([, a], [, b]) => b - a);
  if (failed > 0)
    lines.push(`${failed} failed: ${codes.map(([code, count]) => `${count} ${code}`).join(', ')}.`);
  if (scores === 'raw') lines.push('Scores are raw, cosines: the model has no calibration.');
  lines.push(`Tags:     ${output}/tags/*.parquet`, `Failures: ${output}/failures/*.parquet`);
  return lines.join('\n');
}
