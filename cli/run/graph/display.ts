import { SingleBar } from 'cli-progress';
import { etaText, LinesDisplay, retryText, type ProgressDisplay } from '../progressDisplay.ts';
import type { GraphRunProgress } from './progress.ts';
import { spentText } from './texts.ts';

const STAGES: Readonly<Record<Exclude<GraphRunProgress['stage'], 'done'>, string>> = {
  plan: 'choosing the questions',
  ask: 'asking the language model',
  finish: 'writing the graph',
};

export const createGraphDisplay = (): ProgressDisplay<GraphRunProgress> =>
  process.stderr.isTTY ? new BarDisplay() : new LineDisplay();

const askedText = (progress: GraphRunProgress): string =>
  `${progress.callsDone} of ${progress.calls} categories, ${spentText(progress)}, ${etaText(progress)} left`;

/** A line per stage, and every ten seconds. */
class LineDisplay extends LinesDisplay<GraphRunProgress> {
  private stage = '';

  show(progress: GraphRunProgress): void {
    const { stage, calls, retrying, unpolled } = progress;
    if (stage === 'done') return;
    if (unpolled.length > 0) this.waiting(unpolled);
    else if (stage !== this.stage || (stage === 'ask' && this.isDue())) {
      this.stage = stage;
      this.line(`${STAGES[stage]}${stage === 'ask' && calls > 0 ? `: ${askedText(progress)}` : ''}`);
    }
    for (const note of retrying) this.line(`retrying after ${note}`);
  }
}

class BarDisplay extends LinesDisplay<GraphRunProgress> {
  private bar: SingleBar | undefined;

  show(progress: GraphRunProgress): void {
    const { stage, calls, callsDone, retrying, unpolled } = progress;
    if (stage === 'done') return;
    if (stage !== 'ask' || calls === 0 || unpolled.length > 0) {
      this.stop();
      if (unpolled.length > 0) this.waiting(unpolled);
      else this.line(`${STAGES[stage]} ...`);
      return;
    }
    const texts = { text: askedText(progress), note: retryText(retrying) };
    if (this.bar) {
      this.bar.update(callsDone, texts);
      return;
    }
    this.bar = new SingleBar({
      format: '{bar} {percentage} % | {text}{note}',
      hideCursor: true,
      barsize: 24,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    });
    this.bar.start(calls, callsDone, texts);
  }

  override stop(): void {
    super.stop();
    this.bar?.stop();
    this.bar = undefined;
  }
}
