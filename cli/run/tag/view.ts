import { graphControls } from '../../../data/graph/controlsOfSettings.ts';
import { PAUSE_ASKED } from '../../../workflows/control/requests.ts';
import type { TagCorpusInput, TagCorpusResult } from '../../../workflows/tag/tagTypes.ts';
import type { RunView } from '../runView.ts';
import { createTagDisplay } from './display.ts';
import { reportTagged } from './outcome.ts';
import { readTagProgress, type TagRunProgress } from './progress.ts';
import { describeTagStatus, tagStatus, tagStatusOfFolder, type TagStatus } from './status.ts';

/** Tag runs, as commands see them. */
export const TAG_VIEW: RunView<TagRunProgress, TagStatus, TagCorpusResult> = {
  workflow: 'tagCorpus',
  input(output, settings): TagCorpusInput {
    const { concurrency, maxFailureRate, heartbeatTimeoutS } = settings;
    const graph = graphControls(settings);
    return { output, controls: { concurrency, maxFailureRate, heartbeatTimeoutS, graph } };
  },
  inHand: 'its shards in work are spooled first',
  pieces: ['shard', 'shards'],
  pausesAt: 'once its shards in hand are done',
  settable: ['concurrency', 'maxFailureRate'],
  goOn: (output, paused) =>
    `c2srt resume ${output}${paused === PAUSE_ASKED ? '' : ' --max-failure-rate RATE'}`,
  readProgress: readTagProgress,
  createDisplay: createTagDisplay,
  report: reportTagged,
  folderStatus: tagStatusOfFolder,
  status: tagStatus,
  describe: describeTagStatus,
};
