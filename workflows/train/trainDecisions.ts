/** What `trainModel` decides, as functions of what lies in the run's folder: every execution decides alike. */
import type { TrainPlan, Validation } from './trainTypes.ts';

/** Whether the merged parameters of `round` are validated: every few rounds, the first (the start) and the last. */
export function isValidationDue(
  round: number,
  {
    rounds,
    validateEvery,
    validationImages,
  }: Pick<TrainPlan, 'rounds' | 'validateEvery' | 'validationImages'>,
): boolean {
  return validationImages > 0 && (round % validateEvery === 0 || round === rounds);
}

/** The validation with the highest score, of equal ones the earliest round; null where there is none. */
export function bestOf(validations: readonly Validation[]): Validation | null {
  return validations.reduce<Validation | null>(
    (best, next) => (best === null || isBetter(next, best) ? next : best),
    null,
  );
}

function isBetter(a: Validation, b: Validation): boolean {
  const [scoreA, scoreB] = [rank(a.score), rank(b.score)];
  return scoreA > scoreB || (scoreA === scoreB && a.round < b.round);
}

/** A score that is no number (JSON has null for it) is below all others. */
const rank = (score: number | null): number => (Number.isFinite(score) ? score! : -Infinity);

/** The round whose parameters the model gets: the best, or the last merged one where nothing is validated. */
export const chosenRound = (validations: readonly Validation[], merged: number): number =>
  bestOf(validations)?.round ?? merged;

/** Whether the last `patience` validations brought nothing better; never with null. */
export function isExhausted(validations: readonly Validation[], patience: number | null): boolean {
  const best = bestOf(validations);
  if (patience === null || best === null) return false;
  return validations.filter(({ round }) => round > best.round).length >= patience;
}

/** Steps of all shards together in the first `round` rounds. */
export const stepsUntil = (
  round: number,
  { steps, localSteps, shards }: Pick<TrainPlan, 'steps' | 'localSteps' | 'shards'>,
): number => Math.min(round * localSteps, steps) * shards;
