import { SingleBar } from 'cli-progress';
import { etaText, LinesDisplay, rateText, retryText, type ProgressDisplay } from '../progressDisplay.ts';
import type { TrainRunProgress } from './progress.ts';
import { sizeText } from '../../sizeText.ts';
import { lossText, validationText } from './texts.ts';

const STAGES: Readonly<Record<Exclude<TrainRunProgress['stage'], 'done'>, string>> = {
  snapshot: 'reading the data set',
  prepare: 'preparing the training',
  features: 'extracting features',
  train: 'training',
  finish: 'writing the model',
};

export const createTrainDisplay = (): ProgressDisplay<TrainRunProgress> =>
  process.stderr.isTTY ? new BarDisplay() : new LineDisplay();

/** A line per stage, per round and validation, and every ten seconds. */
class LineDisplay extends LinesDisplay<TrainRunProgress> {
  private told = '';

  show(progress: TrainRunProgress): void {
    const { stage, round, lastValidation } = progress;
    if (stage === 'done') return;
    const event = `${stage} ${round} ${lastValidation?.round}`;
    const isMoving = stage === 'train' || stage === 'features';
    if (event === this.told && !(isMoving && this.isDue())) return;
    if (event !== this.told) this.isDue();
    this.told = event;
    this.line(`${STAGES[stage]}${detail(progress)}`);
    for (const note of progress.retrying) this.line(`retrying after ${note}`);
  }
}

function detail(progress: TrainRunProgress): string {
  if (progress.stage === 'features')
    return progress.pieces === 0
      ? ''
      : `: ${progress.piecesDone} of ${progress.pieces} pieces, ${sizeText(progress.featureBytes)} in all`;
  return progress.stage === 'train' ? `: ${trainText(progress)}` : '';
}

const trainText = (progress: TrainRunProgress): string =>
  [
    `${progress.round} of ${progress.rounds} rounds done`,
    ...(progress.loss === null ? [] : [`loss ${lossText(progress.loss)}`]),
    ...(progress.imagesPerSecond === null
      ? []
      : [`${rateText(progress)} images/s`, `${etaText(progress)} left`]),
    ...validationText(progress),
    ...(progress.pausing ? ['pauses after this round'] : []),
  ].join(', ');

class BarDisplay extends LinesDisplay<TrainRunProgress> {
  private bar: SingleBar | undefined;
  private stage = '';

  show(progress: TrainRunProgress): void {
    const { stage } = progress;
    if (stage === 'done') return;
    const [done, all] =
      stage === 'features'
        ? [progress.piecesDone, progress.pieces]
        : stage === 'train'
          ? [progress.stepsDone, progress.steps]
          : [0, 0];
    if (stage !== this.stage) this.stop();
    if (all === 0) {
      this.line(`${STAGES[stage]} ...`);
      return;
    }
    const text = stage === 'features' ? `features: ${done} of ${all} pieces` : trainText(progress);
    const texts = { text, note: retryText(progress.retrying) };
    if (this.bar) {
      this.bar.update(done, texts);
      return;
    }
    this.stage = stage;
    this.bar = new SingleBar({
      format: '{bar} {percentage} % | {text}{note}',
      hideCursor: true,
      barsize: 24,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    });
    this.bar.start(all, done, texts);
  }

  override stop(): void {
    super.stop();
    this.bar?.stop();
    this.bar = undefined;
  }
}
