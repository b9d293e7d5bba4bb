import type { TrainProgress, Validation } from '../../../workflows/train/trainTypes.ts';

export const lossText = (loss: number): string => loss.toFixed(4);

export const scoreText = ({ score }: Validation): string => score.toFixed(2);

/** Last and best validation beside that of the starting model; nothing before the first. */
export function validationText({
  startValidation,
  lastValidation,
  bestValidation,
}: Pick<TrainProgress, 'startValidation' | 'lastValidation' | 'bestValidation'>): string[] {
  if (lastValidation === null || bestValidation === null) return [];
  if (lastValidation.round === 0) return [`validation ${scoreText(lastValidation)} before training`];
  const best =
    bestValidation.round === lastValidation.round
      ? 'the best so far'
      : `best ${scoreText(bestValidation)} ${roundText(bestValidation.round)}`;
  const start =
    startValidation === null || bestValidation.round === 0
      ? ''
      : `, ${scoreText(startValidation)} before training`;
  return [`validation ${scoreText(lastValidation)} ${roundText(lastValidation.round)} (${best}${start})`];
}

export const roundText = (round: number): string => (round === 0 ? 'before training' : `in round ${round}`);
