/** The learning rate over a training, as a share of the highest. */

export interface Schedule {
  kind: 'cosine' | 'constant';
  warmupSteps: number;
  /** Steps of the whole training. */
  steps: number;
}

/** The share of the highest rate, in (0, 1], that step `step` (from 0) takes: linear warm-up, then half a cosine to 0. */
export function rateShare(step: number, { kind, warmupSteps, steps }: Schedule): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  if (kind === 'constant') return 1;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return (1 + Math.cos(Math.PI * Math.min(1, progress))) / 2;
}
