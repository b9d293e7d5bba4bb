/** Seconds between plain progress lines, where there is no terminal. */
export const LINE_INTERVAL_S = 10;

/** Shows how far a run is: a bar on a terminal, lines elsewhere. All on standard error; results go to standard output. */
export interface ProgressDisplay<Progress> {
  show(progress: Progress): void;
  /** No worker answers for the run; `queues` are those that nobody polls. */
  waiting(queues: readonly string[]): void;
  /** A line about what is being set up. */
  line(text: string): void;
  stop(): void;
}

/** What displays of every kind of run have: lines, each once. */
export abstract class LinesDisplay<Progress> implements ProgressDisplay<Progress> {
  private text = '';
  private shownMs = 0;

  abstract show(progress: Progress): void;

  waiting(queues: readonly string[]): void {
    if (queues.length === 0) return;
    const names = queues.map((name) => `\`${name}\``).join(' and ');
    this.line(`waiting: no worker polls ${names}; start one with \`c2srt worker\``);
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

  /** Whether it is time for another line about the same; where it is, the time counts from now. */
  protected isDue(): boolean {
    if (Date.now() - this.shownMs < LINE_INTERVAL_S * 1000) return false;
    this.shownMs = Date.now();
    return true;
  }
}

export function rateText({ imagesPerSecond }: { imagesPerSecond: number | null }): string {
  return imagesPerSecond === null ? '-' : imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0);
}

export function etaText({ etaSeconds }: { etaSeconds: number | null }): string {
  if (etaSeconds === null) return '?';
  const seconds = Math.round(etaSeconds);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** The first thing that is being tried again, for the end of a bar. */
export const retryText = ([note]: readonly string[]): string =>
  note === undefined ? '' : ` | retrying after ${note.slice(0, 60)}`;
