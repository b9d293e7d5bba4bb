/** What rounds of one execution took, added up. */
export interface Pace {
  /** Of all shards. */
  steps: number;
  images: number;
  /** Until the round was merged. */
  trainMs: number;
  /** Until it was validated and swept too. */
  totalMs: number;
}

export const noPace = (): Pace => ({ steps: 0, images: 0, trainMs: 0, totalMs: 0 });

/** Images per second, and seconds for `stepsLeft` more steps; null before the first round. */
export function paceOf(
  { steps, images, trainMs, totalMs }: Pace,
  stepsLeft: number,
): { imagesPerSecond: number | null; etaSeconds: number | null } {
  if (steps === 0 || trainMs <= 0) return { imagesPerSecond: null, etaSeconds: null };
  return { imagesPerSecond: (1000 * images) / trainMs, etaSeconds: (stepsLeft * totalMs) / steps / 1000 };
}
