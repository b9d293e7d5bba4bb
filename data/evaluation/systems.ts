/** What an evaluation compares, and over which categories. */

/** Need no training: CLIP's global feature alone, CLIP + ISR, and a fixed number of patches per category (after MKT). */
export const BASELINES = ['clip', 'clip-isr', 'fixed-k'] as const;
export type Baseline = (typeof BASELINES)[number];

/** In the order of tables: what is evaluated, what is in use, and what any model must beat. */
export const SYSTEMS = ['candidate', 'production', ...BASELINES] as const;
export type System = (typeof SYSTEMS)[number];

/** Categories that are scored: `unseen` alone is the protocol ZSL, `all` GZSL. */
export const GROUPS = ['unseen', 'all', 'seen'] as const;
export type Group = (typeof GROUPS)[number];

/** The images that a model is tested on, and those that its calibration is fitted on. */
export const EVALUATION_SNAPSHOTS = ['test', 'validation'] as const;
export type EvaluationSnapshot = (typeof EVALUATION_SNAPSHOTS)[number];
