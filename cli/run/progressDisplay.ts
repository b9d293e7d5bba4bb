import { SingleBar } from 'cli-progress';
import type { RunProgress } from './runProgress.ts';

/** Seconds between plain progress lines, where there is no terminal. */
const LINE_INTERVAL_S = 10;

/** Shows how far a run is: a bar on a terminal, lines elsewhere. All on standard error; results go to standard output. */
export interface ProgressDisplay {
  show(progress: RunProgress): void;
  /** No worker answers for the run; `queues` are those that nobody polls. */
  waiting(queues: readonly string[]): void;
  /** A line about what is being set up. */
  line(text: string): void;
  stop(): void;
}

const STAGES: Readonly<Record<RunProgress['stage'], string>> = {
  plan: 'listing the source',
  prepare: 'encoding the vocabulary',
  tag: 'tagging',
  finish: 'checking every part',
  done: 'done',
};

export function createProgressDisplay({ quiet }: { quiet: boolean }): ProgressDisplay {
  if (quiet) return { show: nothing, waiting: nothing, line: nothing, stop: nothing };
  return process.stderr.isTTY ? new BarDisplay() : new LineDisplay();
}

const nothing = (): void => undefined;

class LineDisplay implements ProgressDisplay {
  private text = '';
  private shownMs = 0;
  private stage = '';

  show(progress: RunProgress): void {
    const due = Date.now() - this.shownMs >= LINE_INTERVAL_S * 1000;
    if (progress.stage === this.stage && (progress.stage !== 'tag' || !due)) return;
    this.stage = progress.stage;
    this.shownMs = Date.now();
    const counts =
      progress.stage === 'tag' && progress.imagesDone > 0
        ? `: ${progress.imagesDone}/${progress.keys} images, ${progress.failed} failed, ${rateText(progress)} images/s, ${etaText(progress)} left`
        : '';
    this.line(`${STAGES[progress.stage]}${counts}`);
    for (const note of progress.retrying) this.line(`retrying after ${note}`);
  }

  waiting(queues: readonly string[]): void {
    const text = waitingText(queues);
    if (text !== undefined) this.line(text);
  }

  line(text: string): void {
    if (text === this.text) return;
    this.stop();
    this.text = text;
    process.stderr.write(`${text}\n`);
  }

  stop(): void {
    this.text = '';
  }
}

class BarDisplay extends LineDisplay {
  private bar: SingleBar | undefined;

  override show(progress: RunProgress): void {
    if (progress.stage !== 'tag' && progress.stage !== 'finish') {
      this.line(`${STAGES[progress.stage]} ...`);
      return;
    }
    const [note] = progress.retrying;
    const texts = {
      rate: rateText(progress),
      eta_text: etaText(progress),
      failed: progress.failed > 0 ? ` | ${progress.failed} failed` : '',
      note: note === undefined ? '' : ` | retrying after ${note.slice(0, 60)}`,
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

function waitingText(queues: readonly string[]): string | undefined {
  if (queues.length === 0) return undefined;
  return `waiting: no worker polls ${queues.map((name) => `\`${name}\``).join(' and ')}; start one with \`c2srt worker\``;
}

const rateText = ({ imagesPerSecond }: RunProgress): string =>
  imagesPerSecond === null ? '-' : imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0);

function etaText({ etaSeconds }: RunProgress): string {
  if (etaSeconds === null) return '?';
  const seconds = Math.round(etaSeconds);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
