import { STAGES } from '../../../data/retrain/stages.ts';
import type { StageEnd } from '../../../workflows/retrain/retrainTypes.ts';

const STAGE_WIDTH = Math.max(...STAGES.map(({ length }) => length));

/** `train      done      12 rounds, the best is 9 (34.1 s)`. */
export const stageLine = ({ stage, state, summary, seconds }: StageEnd): string =>
  `${stage.padEnd(STAGE_WIDTH)}  ${state.padEnd(7)}  ${summary}${state === 'done' ? ` (${seconds.toFixed(1)} s)` : ''}`;
