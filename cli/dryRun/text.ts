import { etaText, rateText } from '../run/progressDisplay.ts';
import { sizeText } from '../sizeText.ts';
import type { DryRunSummary } from './estimate.ts';

/** What a dry run has found, for people. */
export function describeDryRun(summary: DryRunSummary, output: string): string {
  const { sources, images, sizeBytes, shards, sample, estimate } = summary;
  const lines = [
    ...sources.map((of) => `${of.source}: ${countText(of.images, 'image')}, ${sizeText(of.sizeBytes)}`),
    `Would tag ${countText(images, 'image')}, ${sizeText(sizeBytes)}, in ${countText(shards, 'shard')}.`,
  ];
  const left = [
    summary.excluded > 0 && `${number(summary.excluded)} by globs`,
    summary.markers > 0 && countText(summary.markers, 'folder marker'),
    summary.duplicates > 0 && `${number(summary.duplicates)} listed again`,
    summary.unchanged > 0 && `${number(summary.unchanged)} unchanged`,
  ].filter((text) => text !== false);
  if (left.length > 0) lines.push(`Left out: ${left.join(', ')}.`);
  if (summary.deleted > 0) lines.push(`Gone since the earlier run: ${number(summary.deleted)}.`);
  if (summary.archived > 0)
    lines.push(`Archived, so failures without a request: ${number(summary.archived)}.`);
  if (sample) {
    const failed = sample.images - sample.tagged;
    const codes = Object.entries(sample.failuresByCode).map(([code, count]) => `${count} ${code}`);
    lines.push(
      `Sample, really tagged: ${sample.tagged} of ${countText(sample.images, 'image')}, ${sample.tagsPerImage.toFixed(1)} tags each${failed > 0 ? `; ${failed} failed (${codes.join(', ')})` : ''}.`,
      `One worker like this process: ${rateText(sample)} images/s, so about ${etaText({ etaSeconds: estimate.taggingSeconds })} after ${etaText({ etaSeconds: estimate.listingSeconds })} of listing; ${sizeText(estimate.outputBytes)} of rows.`,
    );
  }
  for (const [what, requests] of [
    ['to read', estimate.requests.input],
    ["in the run's folder", estimate.requests.output],
  ] as const) {
    const counts = Object.entries(requests).map(([operation, count]) => `${number(count)} ${operation}`);
    if (counts.length > 0) lines.push(`Requests ${what}, about: ${counts.join(', ')}.`);
  }
  lines.push(`Nothing was written to ${output}.`);
  return lines.join('\n');
}

const number = (value: number): string => value.toLocaleString('en');

const countText = (count: number, of: string): string => `${number(count)} ${of}${count === 1 ? '' : 's'}`;
