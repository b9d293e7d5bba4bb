import { failedOf, type Counts } from '../../data/run/counts.ts';
import type { FailureExamples } from '../../data/run/atWork/failureSample.ts';

/** Why a run should pause; null where its failures are within the budget, or too few images are done to tell. */
export function budgetExceeded(
  counts: Counts & { examples: FailureExamples },
  maxFailureRate: number,
): string | null {
  const failed = failedOf(counts);
  if (counts.images < 1000 || failed <= maxFailureRate * counts.images) return null;
  const codes = Object.entries(counts.failuresByCode)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${count} ${code}${exampleText(counts.examples[code])}`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `${failed} of ${counts.images} images failed (${percent(failed / counts.images)}; the limit is ${percent(maxFailureRate)}): ${codes.join(', ')}`;
}

const exampleText = (keys: readonly string[] | undefined): string =>
  keys === undefined ? '' : ` (as ${keys.map((key) => JSON.stringify(key)).join(', ')})`;
