/** The merge of a round (DiLoCo, arXiv 2311.08105, algorithm 1): Nesterov momentum on the shards' mean change. */

export interface OuterSettings {
  outerStep: number;
  outerMomentum: number;
}

/**
 * One tensor of the merged parameters. `start` is what the round began with, `ends` what each shard ended with, in shard
 * order; `momentum` is the outer optimiser's, float64, and is changed in place.
 *
 * With Δ = mean(start - end): b ← μ b + Δ, θ ← θ - η (Δ + μ b). Everything in float64, rounded once. With step 1 and
 * momentum 0 the result is the mean of the ends; of one shard it is that shard's parameters, to the bit.
 */
export function outerStep(
  start: Float32Array,
  ends: readonly Float32Array[],
  momentum: Float64Array,
  { outerStep: step, outerMomentum }: OuterSettings,
): Float32Array<ArrayBuffer> {
  if (step === 1 && outerMomentum === 0) return mean(ends);
  const merged = new Float32Array(start.length);
  for (let i = 0; i < start.length; i++) {
    const from = start[i]!;
    let change = 0;
    for (const end of ends) change += from - end[i]!;
    change /= ends.length;
    momentum[i] = outerMomentum * momentum[i]! + change;
    merged[i] = from - step * (change + outerMomentum * momentum[i]!);
  }
  return merged;
}

function mean(ends: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const merged = new Float32Array(ends[0]!.length);
  for (let i = 0; i < merged.length; i++) {
    // From the first on, and not from 0, which would lose the sign of a negative zero.
    let sum = ends[0]![i]!;
    for (let shard = 1; shard < ends.length; shard++) sum += ends[shard]![i]!;
    merged[i] = sum / ends.length;
  }
  return merged;
}
