import { WAITS_FOR_APPROVAL } from '../../../workflows/signals.ts';
import type { RetrainInput, RetrainResult } from '../../../workflows/retrain/retrainTypes.ts';
import { retrainControls } from '../../retrain/controls.ts';
import { TAG_VIEW } from '../tag/view.ts';
import type { RunView } from '../runView.ts';
import { createRetrainDisplay } from './display.ts';
import { reportRetrained } from './outcome.ts';
import { readRetrainProgress, type RetrainRunProgress } from './progress.ts';
import { describeRetrainStatus, retrainStatus, retrainStatusOfFolder, type RetrainStatus } from './status.ts';

/** Retrainings, as commands see them. */
export const RETRAIN_VIEW: RunView<RetrainRunProgress, RetrainStatus, RetrainResult> = {
  workflow: 'retrain',
  input: (output, settings): RetrainInput => ({ output, controls: retrainControls(settings) }),
  inHand: 'its stage at work ends as a run of that kind does',
  pieces: ['piece of work', 'pieces of work'],
  pausesAt: 'when its stage is over, and the run that does the stage before that',
  settable: ['concurrency', 'maxFailureRate'],
  goOn: (output, paused) =>
    paused === WAITS_FOR_APPROVAL
      ? `c2srt approve ${output}\` or \`c2srt reject ${output}\`, then \`c2srt resume ${output}`
      : // What else pauses by itself is its tag run, which wants another limit.
        TAG_VIEW.goOn(output, paused),
  readProgress: readRetrainProgress,
  createDisplay: createRetrainDisplay,
  report: reportRetrained,
  folderStatus: retrainStatusOfFolder,
  status: retrainStatus,
  describe: describeRetrainStatus,
};
