import { noTimes, PHASES, type Phase, type PhaseTimes } from '../../data/run/atWork/phases.ts';
import type { SharedTagger } from './dependencies.ts';

/**
 * Where the time of a shard goes. Each moment is divided among the images that are in some phase, by the phases that
 * they are in, so the times add up to that in which there were any.
 */
export class PhaseClock {
  /** Milliseconds so far. */
  readonly times: PhaseTimes = noTimes();
  private readonly images: Record<Phase, number> = noTimes();
  private readonly nowMs: () => number;
  private sinceMs: number;

  constructor(nowMs = () => performance.now()) {
    this.nowMs = nowMs;
    this.sinceMs = nowMs();
  }

  /** So many images enter a phase, having left another one where it is named. */
  enter(phase: Phase, from?: Phase, count = 1): void {
    this.tick();
    this.images[phase] += count;
    if (from !== undefined) this.images[from] -= count;
  }

  leave(phase: Phase, count = 1): void {
    this.tick();
    this.images[phase] -= count;
  }

  /** Work of a phase. */
  async during<Result>(phase: Phase, work: () => Promise<Result>): Promise<Result> {
    this.enter(phase);
    try {
      return await work();
    } finally {
      this.leave(phase);
    }
  }

  /** A tagger whose images come from `wait`, which they are to have entered. */
  timed(tagger: SharedTagger, imageBytes: number): SharedTagger {
    return {
      ...tagger,
      run: async (pixels) => {
        const count = pixels.length / imageBytes;
        this.enter('infer', 'wait', count);
        try {
          return await tagger.run(pixels);
        } finally {
          this.leave('infer', count);
        }
      },
    };
  }

  private tick(): void {
    const nowMs = this.nowMs();
    const all = PHASES.reduce((sum, phase) => sum + this.images[phase], 0);
    if (all > 0)
      for (const phase of PHASES) this.times[phase] += ((nowMs - this.sinceMs) * this.images[phase]) / all;
    this.sinceMs = nowMs;
  }
}
