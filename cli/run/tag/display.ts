import { SingleBar } from 'cli-progress';
import { etaText, LinesDisplay, rateText, retryText, type ProgressDisplay } from '../progressDisplay.ts';
import type { TagRunProgress } from './progress.ts';

const STAGES: Readonly<Record<TagRunProgress['stage'], string>> = {
  plan: 'listing the source',
  prepare: 'encoding the vocabulary',
  tag: 'tagging',
  finish: 'checking every part',
  done: 'done',
};

export const createTagDisplay = (): ProgressDisplay<TagRunProgress> =>
  process.stderr.isTTY ? new BarDisplay() : new LineDisplay();

class LineDisplay extends LinesDisplay<TagRunProgress> {
  private stage = '';

  show(progress: TagRunProgress): void {
    const isNew = progress.stage !== this.stage;
    if (!isNew && progress.stage !== 'tag') return;
    if (!this.isDue() && !isNew) return;
    this.stage = progress.stage;
    const counts =
      progress.stage === 'tag' && progress.imagesDone > 0
        ? `: ${progress.imagesDone}/${progress.keys} images, ${progress.failed} failed, ${rateText(progress)} images/s, ${etaText(progress)} left`
        : '';
    this.line(`${STAGES[progress.stage]}${counts}`);
    for (const note of progress.retrying) this.line(`retrying after ${note}`);
  }
}

class BarDisplay extends LinesDisplay<TagRunProgress> {
  private bar: SingleBar | undefined;

  show(progress: TagRunProgress): void {
    if (progress.stage !== 'tag' && progress.stage !== 'finish') {
      this.line(`${STAGES[progress.stage]} ...`);
      return;
    }
    const texts = {
      rate: rateText(progress),
      eta_text: etaText(progress),
      failed: progress.failed > 0 ? ` | ${progress.failed} failed` : '',
      note: retryText(progress.retrying),
    };
    if (this.bar) {
      this.bar.update(progress.imagesDone, texts);
      return;
    }
    this.bar = new SingleBar({
      format:
        '{bar} {percentage} % | {value}/{total} images | {rate} images/s | {eta_text} left{failed}{note}',
      hideCursor: true,
      barsize: 24,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    });
    this.bar.start(progress.keys, progress.imagesDone, texts);
  }

  override stop(): void {
    super.stop();
    this.bar?.stop();
    this.bar = undefined;
  }
}
