import { PAUSE_ASKED } from '../../../workflows/signals.ts';
import type { TagCorpusInput, TagCorpusResult } from '../../../workflows/types.ts';
import type { RunView } from '../runView.ts';
import { createTagDisplay } from './display.ts';
import { reportTagged } from './outcome.ts';
import { readTagProgress, type TagRunProgress } from './progress.ts';
import { describeTagStatus, tagStatus, tagStatusOfFolder, type TagStatus } from './status.ts';

/** Tag runs, as commands see them. */
export const TAG_VIEW: RunView<TagRunProgress, TagStatus, TagCorpusResult> = {
  workflow: 'tagCorpus',
  input: (output, { concurrency, maxFailureRate, heartbeatTimeoutS }): TagCorpusInput => ({
    output,
    controls: { concurrency, maxFailureRate, heartbeatTimeoutS },
  }),
  inHand: 'its shards in work are spooled first',
  resumeFlags: (paused) => (paused === PAUSE_ASKED ? '' : ' --max-failure-rate RATE'),
  readProgress: readTagProgress,
  createDisplay: createTagDisplay,
  report: reportTagged,
  folderStatus: tagStatusOfFolder,
  status: tagStatus,
  describe: describeTagStatus,
};
