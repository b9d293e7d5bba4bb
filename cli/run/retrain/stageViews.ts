import type { RetrainProgress } from '../../../workflows/retrain/retrainTypes.ts';
import { EVALUATE_VIEW } from '../evaluate/view.ts';
import { GRAPH_VIEW } from '../graph/view.ts';
import type { RunView } from '../runView.ts';
import { TAG_VIEW } from '../tag/view.ts';
import { TRAIN_VIEW } from '../train/view.ts';

/** How the runs that make a retraining's artifacts are looked at. */
export const STAGE_VIEWS: Readonly<Record<NonNullable<RetrainProgress['child']>['kind'], RunView>> = {
  graph: GRAPH_VIEW,
  train: TRAIN_VIEW,
  evaluate: EVALUATE_VIEW,
  tag: TAG_VIEW,
};
