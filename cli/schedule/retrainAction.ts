import { flagName, type Settings } from '../../data/config/schema.ts';
import { Failure } from '../../data/failure.ts';
import { writePipeline } from '../../data/retrain/pipeline.ts';
import { openStore } from '../../data/store/open.ts';
import type { ScheduledRetrainInput } from '../../workflows/retrain/retrainTypes.ts';
import { retrainControls } from '../retrain/controls.ts';
import { pipelineOf } from '../retrain/pipelineOf.ts';
import type { ScheduledAction } from './action.ts';
import { TAG_FLAGS, type TagActionFlags } from './tagAction.ts';

/** Retrainings of the pipeline that the configuration file describes now. */
export async function retrainAction(
  name: string,
  { config, ...flags }: TagActionFlags & { config?: string },
  settings: Settings,
): Promise<ScheduledAction> {
  const stray = TAG_FLAGS.find((flag) => flags[flag] !== undefined);
  if (stray !== undefined)
    throw new Failure(
      'Usage.Flag',
      `${flagName(stray)} says nothing to a retraining: it is for --what tag.`,
      {
        hint: 'What a retraining does stands in the configuration file (docs/retraining.md).',
      },
    );
  const { spec, inputs } = await pipelineOf({ config }, settings);
  const pipeline = await writePipeline(spec, inputs, openStore);
  const input: ScheduledRetrainInput = { pipeline, controls: retrainControls(settings) };
  return {
    workflow: 'retrainOnSchedule',
    args: [input],
    workflowIdPrefix: `scheduled-${name}`,
    memo: { pipeline },
  };
}
