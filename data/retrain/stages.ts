/** Stages of a retraining pipeline, in order. */
export const STAGES = [
  'snapshot',
  'features',
  'graph',
  'train',
  'evaluate',
  'gate',
  'approval',
  'publish',
  'tag',
] as const;

export type Stage = (typeof STAGES)[number];
