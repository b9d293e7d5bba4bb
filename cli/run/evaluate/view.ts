import type { EvaluateModelInput, EvaluateResult } from '../../../workflows/evaluate/evaluateTypes.ts';
import type { RunView } from '../runView.ts';
import { createEvaluateDisplay } from './display.ts';
import { reportEvaluated } from './outcome.ts';
import { readEvaluateProgress, type EvaluateRunProgress } from './progress.ts';
import {
  describeEvaluateStatus,
  evaluateStatus,
  evaluateStatusOfFolder,
  type EvaluateStatus,
} from './status.ts';

/** Evaluations, as commands see them. */
export const EVALUATE_VIEW: RunView<EvaluateRunProgress, EvaluateStatus, EvaluateResult> = {
  workflow: 'evaluateModel',
  input: (output, { concurrency, heartbeatTimeoutS }): EvaluateModelInput => ({
    output,
    controls: { concurrency, heartbeatTimeoutS },
  }),
  inHand: 'its shards in work are scored again',
  pieces: ['shard', 'shards'],
  pausesAt: 'once its shards in hand are scored',
  settable: ['concurrency'],
  goOn: (output) => `c2srt resume ${output}`,
  readProgress: readEvaluateProgress,
  createDisplay: createEvaluateDisplay,
  report: reportEvaluated,
  folderStatus: evaluateStatusOfFolder,
  status: evaluateStatus,
  describe: describeEvaluateStatus,
};
