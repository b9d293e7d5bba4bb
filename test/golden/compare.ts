/** How a checked value differs from its golden one. */
export interface Comparison {
  /** File and tensor. */
  name: string;
  /** Largest difference, in the unit that `limit` has. */
  error: number;
  limit: number;
  /** Share of entries left out because a choice of patches there is too close to flipping on this provider. */
  leftOut?: number;
  /** Set where the two could not be compared at all (shapes, missing entries). */
  problem?: string;
}

export const agrees = ({ error, limit, problem, leftOut = 0 }: Comparison): boolean =>
  problem === undefined && error <= limit && leftOut < 0.01;

/** Compares values entry by entry; `include` tells which entries count. NaN on either side is a disagreement. */
export function compareValues(name: string, actual: ArrayLike<number>, golden: ArrayLike<number>, limit: number, include?: (index: number) => boolean): Comparison {
  if (actual.length !== golden.length) {
    return { name, error: Infinity, limit, problem: `${actual.length} values where the golden file has ${golden.length}` };
  }
  let error = 0;
  let leftOut = 0;
  for (let i = 0; i < golden.length; i++) {
    if (include && !include(i)) {
      leftOut++;
      continue;
    }
    const difference = Math.abs(actual[i]! - golden[i]!);
    if (!(difference <= error)) error = Number.isNaN(difference) ? Infinity : difference;
  }
  return { name, error, limit, leftOut: leftOut / Math.max(1, golden.length) };
}

/** Compares lists of token ids, exactly: the error is the number of lists that differ. */
export function compareIds(name: string, actual: readonly (readonly number[])[], golden: readonly (readonly number[])[]): Comparison {
  const differing = golden.flatMap((ids, i) => (actual[i]?.join() === ids.join() ? [] : [i]));
  const problem = differing.length > 0 ? `differs at ${differing.slice(0, 5).join(', ')}` : undefined;
  return { name, error: differing.length, limit: 0, ...(problem !== undefined && { problem }) };
}

/** 1 - cosine of rows [n, d]: the largest. */
export function compareDirections(name: string, actual: Float32Array, golden: Float32Array, d: number, minCosine: number): Comparison {
  if (actual.length !== golden.length) return { name, error: Infinity, limit: 1 - minCosine, problem: 'another number of images' };
  let error = 0;
  for (let start = 0; start < golden.length; start += d) {
    let [dot, a, g] = [0, 0, 0];
    for (let i = start; i < start + d; i++) {
      dot += actual[i]! * golden[i]!;
      a += actual[i]! ** 2;
      g += golden[i]! ** 2;
    }
    const distance = 1 - dot / Math.sqrt(a * g);
    if (!(distance <= error)) error = Number.isNaN(distance) ? Infinity : distance;
  }
  return { name, error, limit: 1 - minCosine };
}

/** Compares two sets of strings, exactly: the error is the number of entries that only one has. */
export function compareSets(name: string, actual: readonly string[], golden: readonly string[]): Comparison {
  const [ours, theirs] = [new Set(actual), new Set(golden)];
  const differing = [...ours.symmetricDifference(theirs)];
  const problem = differing.length > 0 ? `only one has ${differing.slice(0, 3).join('; ')}` : undefined;
  return { name, error: differing.length, limit: 0, ...(problem !== undefined && { problem }) };
}
