import type { Counts } from './types.ts';

export const noCounts = (): Counts => ({ images: 0, tagged: 0, failuresByCode: {} });

/** The sum of two counts. */
export function addCounts(a: Counts, b: Counts): Counts {
  const failuresByCode = { ...a.failuresByCode };
  for (const [code, count] of Object.entries(b.failuresByCode))
    failuresByCode[code] = (failuresByCode[code] ?? 0) + count;
  return { images: a.images + b.images, tagged: a.tagged + b.tagged, failuresByCode };
}

export const failedOf = ({ images, tagged }: Counts): number => images - tagged;

/** Why a run should pause; null where its failures are within the budget, or too few images are done to tell. */
export function budgetExceeded(counts: Counts, maxFailureRate: number): string | null {
  const failed = failedOf(counts);
  if (counts.images < 1000 || failed <= maxFailureRate * counts.images) return null;
  const codes = Object.entries(counts.failuresByCode)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${count} ${code}`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `${failed} of ${counts.images} images failed (${percent(failed / counts.images)}; the limit is ${percent(maxFailureRate)}): ${codes.join(', ')}`;
}
