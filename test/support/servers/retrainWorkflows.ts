/** `retrain` as it is, and runs of the other kinds that only say that they were there. */
import { condition, proxyActivities, setHandler } from '@temporalio/workflow';
import { pauseSignal, resumeSignal } from '../../../workflows/control/requests.ts';

export { retrain, retrainOnSchedule } from '../../../workflows/retrain/retrain.ts';

/** What a run of a stage does in a test. */
export interface StageWork {
  stageWork(run: { kind: string; output: string }): Promise<void>;
}

const standIn =
  (kind: string) =>
  async ({ output }: { output: string }): Promise<void> => {
    let paused = false;
    setHandler(pauseSignal, () => void (paused = true));
    setHandler(resumeSignal, () => void (paused = false));
    const { stageWork } = proxyActivities<StageWork>({
      startToCloseTimeout: '1 minute',
      retry: { maximumAttempts: 1 },
    });
    await stageWork({ kind, output });
    await condition(() => !paused);
  };

export const buildGraph = standIn('graph');
export const trainModel = standIn('train');
export const evaluateModel = standIn('evaluate');
export const tagCorpus = standIn('tag');
