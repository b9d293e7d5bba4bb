import type { Settings } from '../../data/config/schema.ts';
import { graphControls } from '../../data/graph/controlsOfSettings.ts';
import type { RetrainControls } from '../../workflows/retrain/retrainTypes.ts';

/** How a retraining is worked on, by the settings in force. */
export const retrainControls = (settings: Settings): RetrainControls => ({
  concurrency: settings.concurrency,
  maxFailureRate: settings.maxFailureRate,
  heartbeatTimeoutS: settings.heartbeatTimeoutS,
  graph: graphControls(settings),
});
