import { SingleBar } from 'cli-progress';
import { etaText, LinesDisplay, rateText, retryText, type ProgressDisplay } from '../progressDisplay.ts';
import type { EvaluateRunProgress } from './progress.ts';

const STAGES: Readonly<Record<Exclude<EvaluateRunProgress['stage'], 'done'>, string>> = {
  snapshot: 'reading the data sets',
  prepare: 'preparing the models',
  score: 'scoring images',
  calibrate: 'fitting the calibration',
  measure: 'computing figures of categories',
  finish: 'computing intervals',
};

export const createEvaluateDisplay = (): ProgressDisplay<EvaluateRunProgress> =>
  process.stderr.isTTY ? new BarDisplay() : new LineDisplay();

const scoreText = (progress: EvaluateRunProgress): string =>
  [
    `${progress.imagesDone} of ${progress.images} images`,
    ...(progress.imagesPerSecond === null
      ? []
      : [`${rateText(progress)} images/s`, `${etaText(progress)} left`]),
  ].join(', ');

/** A line per stage, and every ten seconds. */
class LineDisplay extends LinesDisplay<EvaluateRunProgress> {
  private stage = '';

  show(progress: EvaluateRunProgress): void {
    const { stage, retrying } = progress;
    if (stage === 'done') return;
    if (stage !== this.stage || (stage === 'score' && this.isDue())) {
      this.stage = stage;
      this.line(`${STAGES[stage]}${stage === 'score' ? `: ${scoreText(progress)}` : ''}`);
    }
    for (const note of retrying) this.line(`retrying after ${note}`);
  }
}

class BarDisplay extends LinesDisplay<EvaluateRunProgress> {
  private bar: SingleBar | undefined;

  show(progress: EvaluateRunProgress): void {
    const { stage, images, imagesDone, retrying } = progress;
    if (stage === 'done') return;
    if (stage !== 'score') {
      this.stop();
      this.line(`${STAGES[stage]} ...`);
      return;
    }
    const texts = { text: scoreText(progress), note: retryText(retrying) };
    if (this.bar) {
      this.bar.update(imagesDone, texts);
      return;
    }
    this.bar = new SingleBar({
      format: '{bar} {percentage} % | {text}{note}',
      hideCursor: true,
      barsize: 24,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    });
    this.bar.start(images, imagesDone, texts);
  }

  override stop(): void {
    super.stop();
    this.bar?.stop();
    this.bar = undefined;
  }
}
