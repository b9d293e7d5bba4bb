/** Seconds between spooled pieces: at most this much work of a lost attempt is done again. */
const SPOOL_INTERVAL_S = 30;

/** Images of the first window, before the rate is known; also the smallest. */
const SMALLEST_WINDOW = 128;

/**
 * Hands out the positions of a shard in order, never past the limit that the spool has announced, and asks for a new
 * piece when the limit is reached or the interval has passed. The window is as many images as the interval takes at the
 * rate so far, so that announcing it costs one small object per interval.
 */
export class Window {
  private readonly pending: readonly number[];
  private readonly announce: (limit: number) => Promise<void>;
  private readonly startedMs: number;
  private next = 0;
  private limit = 0;
  private announcedMs = 0;
  private announcing: Promise<void> | undefined;

  /** `pending` are rising positions; `announce` writes a piece that allows work below `limit`. */
  constructor(pending: readonly number[], announce: (limit: number) => Promise<void>, nowMs = Date.now()) {
    this.pending = pending;
    this.announce = announce;
    this.startedMs = nowMs;
  }

  /** The next position; undefined where there is none. Rejects where the spool cannot be written. */
  async take(): Promise<number | undefined> {
    for (;;) {
      const at = this.pending[this.next];
      if (at === undefined) return undefined;
      const due = Date.now() - this.announcedMs >= SPOOL_INTERVAL_S * 1000;
      if (at < this.limit && !due) {
        this.next++;
        return at;
      }
      await (this.announcing ??= this.extend());
    }
  }

  private async extend(): Promise<void> {
    try {
      const elapsedS = (Date.now() - this.startedMs) / 1000;
      const size = Math.max(
        SMALLEST_WINDOW,
        elapsedS > 0 ? Math.ceil((this.next / elapsedS) * SPOOL_INTERVAL_S) : 0,
      );
      const last = this.pending[Math.min(this.next + size, this.pending.length) - 1]!;
      await this.announce(last + 1);
      this.limit = last + 1;
      this.announcedMs = Date.now();
    } finally {
      this.announcing = undefined;
    }
  }
}
