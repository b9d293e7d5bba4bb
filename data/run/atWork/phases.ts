/** Where the time of a shard in work goes; a pure leaf. */
export const PHASES = ['fetch', 'decode', 'wait', 'infer', 'write'] as const;

/** `wait`: decoded, and the device is not free. `write`: rows to the spool and parts to their place. */
export type Phase = (typeof PHASES)[number];

/** Milliseconds. */
export type PhaseTimes = Record<Phase, number>;

export const noTimes = (): PhaseTimes => ({ fetch: 0, decode: 0, wait: 0, infer: 0, write: 0 });

export function addTimes(a: PhaseTimes, b: PhaseTimes): PhaseTimes {
  const sum = noTimes();
  for (const phase of PHASES) sum[phase] = a[phase] + b[phase];
  return sum;
}

/** The share of each phase, in [0, 1]; null where no time is known. */
export function sharesOf(times: PhaseTimes): Record<Phase, number> | null {
  const total = PHASES.reduce((sum, phase) => sum + times[phase], 0);
  if (total <= 0) return null;
  const shares = noTimes();
  for (const phase of PHASES) shares[phase] = times[phase] / total;
  return shares;
}
