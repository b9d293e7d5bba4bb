import { LinesDisplay, type ProgressDisplay } from '../progressDisplay.ts';
import type { LiveProgress } from '../runView.ts';
import type { RetrainRunProgress } from './progress.ts';
import { STAGE_VIEWS } from './stageViews.ts';
import { stageLine } from './texts.ts';

export const createRetrainDisplay = (): ProgressDisplay<RetrainRunProgress> => new RetrainDisplay();

/** A line for each stage that is over, and the display of the run that does the one at work. */
class RetrainDisplay extends LinesDisplay<RetrainRunProgress> {
  private readonly told = new Set<string>();
  private inside: { id: string; display: ProgressDisplay<LiveProgress> } | undefined;

  show(progress: RetrainRunProgress): void {
    const { ended, stage, child, isWaiting, inside, pieces, piecesDone, retrying } = progress;
    for (const end of ended) {
      if (this.told.has(end.stage)) continue;
      this.told.add(end.stage);
      this.leave();
      this.line(stageLine(end));
    }
    if (stage === 'done') return;
    if (child && inside) {
      if (this.inside?.id !== child.id) {
        this.leave();
        this.inside = { id: child.id, display: STAGE_VIEWS[child.kind].createDisplay() };
        if (isWaiting) this.line(`waiting for ${child.id}, which another run has started`);
      }
      this.inside.display.show(inside);
      return;
    }
    if (child) return;
    this.leave();
    if (stage === 'features' && pieces > 0)
      this.line(`extracting features: ${piecesDone} of ${pieces} pieces`);
    else this.line(`${stage} ...`);
    for (const note of retrying) this.line(`retrying after ${note}`);
  }

  override stop(): void {
    super.stop();
    this.inside?.display.stop();
  }

  private leave(): void {
    this.inside?.display.stop();
    this.inside = undefined;
  }
}
