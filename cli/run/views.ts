import type { RunKind } from '../../data/run/record.ts';
import { EVALUATE_VIEW } from './evaluate/view.ts';
import { GRAPH_VIEW } from './graph/view.ts';
import { RETRAIN_VIEW } from './retrain/view.ts';
import type { RunView } from './runView.ts';
import { TAG_VIEW } from './tag/view.ts';
import { TRAIN_VIEW } from './train/view.ts';

export const VIEWS: Readonly<Record<RunKind, RunView>> = {
  tag: TAG_VIEW,
  train: TRAIN_VIEW,
  pretrain: TRAIN_VIEW,
  graph: GRAPH_VIEW,
  evaluate: EVALUATE_VIEW,
  retrain: RETRAIN_VIEW,
};
