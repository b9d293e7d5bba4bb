import { graphControls } from '../../../data/graph/controlsOfSettings.ts';
import type { BuildGraphInput, GraphResult } from '../../../workflows/graph/graphTypes.ts';
import type { RunView } from '../runView.ts';
import { createGraphDisplay } from './display.ts';
import { reportGraph } from './outcome.ts';
import { readGraphProgress, type GraphRunProgress } from './progress.ts';
import { describeGraphStatus, graphStatus, graphStatusOfFolder, type GraphStatus } from './status.ts';

/** Category graphs being built, as commands see them. */
export const GRAPH_VIEW: RunView<GraphRunProgress, GraphStatus, GraphResult> = {
  workflow: 'buildGraph',
  input: (output, settings): BuildGraphInput => ({ output, controls: graphControls(settings) }),
  inHand: 'the questions in hand are answered first',
  pieces: ['batch of questions', 'batches of questions'],
  pausesAt: 'once the questions in hand are answered',
  settable: [],
  goOn: (output) => `c2srt resume ${output}`,
  readProgress: readGraphProgress,
  createDisplay: createGraphDisplay,
  report: reportGraph,
  folderStatus: graphStatusOfFolder,
  status: graphStatus,
  describe: describeGraphStatus,
};
