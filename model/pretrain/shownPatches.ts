import type { PretrainSettings } from '../../data/config/trainSchema.ts';

/**
 * How many of an image's `patches` a step sees: `patchShare` of them at first, all of them in the last steps. Dropping
 * most of the time makes steps cheaper (Li et al. 2023, FLIP); the end makes up for the difference to whole images.
 * `step` counts from 0 over all rounds.
 */
export function shownPatchCount(
  { patchShare, wholeImagesFrom }: Pick<PretrainSettings, 'patchShare' | 'wholeImagesFrom'>,
  patches: number,
  step: number,
  steps: number,
): number {
  return step >= wholeImagesFrom * steps ? patches : Math.max(1, Math.round(patchShare * patches));
}
