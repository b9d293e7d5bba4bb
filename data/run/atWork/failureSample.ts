/** A few failures that stand for all of them; a pure leaf. */

export interface FailedImage {
  key: string;
  /** URI of its source. */
  source: string;
  code: string;
  message: string;
}

/** Failures of a shard that are told apart from its rows, and those that a run remembers. */
export const SHARD_FAILURES = 5;
export const LAST_FAILURES = 10;

/** Keys that a run remembers of each code. */
const EXAMPLES = 3;

/** Longest message that is told, in characters: the row has all of it. */
const LONGEST_MESSAGE = 200;

/**
 * `sample` (oldest first) with a newer failure, `most` at most: what goes first is the oldest of a code that has others,
 * so that a rare code is not driven out by a frequent one.
 */
export function withFailure(
  sample: readonly FailedImage[],
  failed: FailedImage,
  most: number,
): FailedImage[] {
  const { key, source, code, message } = failed;
  const all = [...sample, { key, source, code, message: message.slice(0, LONGEST_MESSAGE) }];
  if (all.length <= most) return all;
  const goes = all.findIndex((one, at) => all.some((other, later) => later > at && other.code === one.code));
  return all.toSpliced(Math.max(0, goes), 1);
}

/** Some keys by code; the first ones found stay. */
export type FailureExamples = Record<string, string[]>;

export function withExample(examples: FailureExamples, { code, key }: FailedImage): FailureExamples {
  const keys = examples[code] ?? [];
  return keys.length >= EXAMPLES || keys.includes(key) ? examples : { ...examples, [code]: [...keys, key] };
}
