import type { TrainResult, Validation } from '../../../workflows/train/trainTypes.ts';
import { describeFailed } from '../../../data/training/failedImages.ts';
import { EXIT } from '../../exit.ts';
import type { RunReference } from '../runReference.ts';
import { lossText, scoreText } from './texts.ts';

/** What `train --json` and `pretrain --json` print at the end of a finished run. */
export interface TrainSummary {
  run: string;
  /** Rounds that were trained. */
  rounds: number;
  stoppedEarly: boolean;
  /** The round whose parameters the model has; 0: those of the starting model. */
  bestRound: number;
  /** Of the last round. */
  loss: number;
  /** Images trained on, repetitions counted. */
  images: number;
  /** How many of these could not be read, by code. */
  failed: Record<string, number>;
  start: Validation | null;
  best: Validation | null;
  /** URI of the model folder. */
  model: string;
  output: string;
  seconds: number;
}

export function trainSummary(
  { id, output }: RunReference,
  { rounds, stoppedEarly, bestRound, loss, images, failed, start, best }: TrainResult,
  seconds: number,
): TrainSummary {
  return {
    run: id,
    rounds,
    stoppedEarly,
    bestRound,
    loss,
    images,
    failed,
    start,
    best,
    model: output,
    output,
    seconds: Math.round(seconds * 100) / 100,
  };
}

/** Prints what a finished training has come to, and returns the command's exit code. */
export function reportTrained(
  run: RunReference,
  result: TrainResult,
  seconds: number,
  json: boolean,
): number {
  const summary = trainSummary(run, result, seconds);
  if (json) console.log(JSON.stringify(summary));
  else
    console.log(
      [
        `Run ${run.id} finished in ${seconds.toFixed(1)} s: ${describeCourse(summary)}`,
        ...describeModel(summary),
      ].join('\n'),
    );
  return EXIT.ok;
}

/** Rounds, images and loss, in a sentence. */
export function describeCourse({ rounds, stoppedEarly, images, loss }: TrainSummary): string {
  const early = stoppedEarly ? ' (stopped early: validation no longer improved)' : '';
  return `${rounds} ${rounds === 1 ? 'round' : 'rounds'}${early}, ${images} images, loss ${lossText(loss)}.`;
}

/** What the model is worth, where it is, and how to use it; a line each. */
export function describeModel({ failed, start, best, bestRound, model }: TrainSummary): string[] {
  const unread = describeFailed(failed);
  return [
    ...(unread === ''
      ? []
      : [`Not read:   ${unread}, epochs included; metrics.json names the first of them.`]),
    ...(start === null || best === null
      ? ['Validation: none, as nothing was held back; the model is that of the last round.']
      : bestRound === 0
        ? [
            `Validation: no round was better than the starting model (${scoreText(start)}), so the model is that one.`,
          ]
        : [
            `Validation: ${scoreText(start)} before training, ${scoreText(best)} after round ${bestRound}, which the model is of (${best.images} images).`,
          ]),
    `Model:      ${model}`,
    `To use it:  c2srt tag SOURCE --categories FILE --model ${model} --out URI`,
  ];
}
