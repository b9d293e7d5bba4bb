import type { TrainModelInput, TrainResult } from '../../../workflows/train/trainTypes.ts';
import type { RunView } from '../runView.ts';
import { createTrainDisplay } from './display.ts';
import { reportTrained } from './outcome.ts';
import { readTrainProgress, type TrainRunProgress } from './progress.ts';
import { describeTrainStatus, trainStatus, trainStatusOfFolder, type TrainStatus } from './status.ts';

/** Trainings and pre-trainings, as commands see them. */
export const TRAIN_VIEW: RunView<TrainRunProgress, TrainStatus, TrainResult> = {
  workflow: 'trainModel',
  input: (output, { concurrency, heartbeatTimeoutS }): TrainModelInput => ({
    output,
    controls: { concurrency, heartbeatTimeoutS },
  }),
  inHand: 'what its shards have done of this round is done again',
  pieces: ['piece of work', 'pieces of work'],
  pausesAt: 'at the end of its round',
  settable: ['concurrency'],
  goOn: (output) => `c2srt resume ${output}`,
  readProgress: readTrainProgress,
  createDisplay: createTrainDisplay,
  report: reportTrained,
  folderStatus: trainStatusOfFolder,
  status: trainStatus,
  describe: describeTrainStatus,
};
