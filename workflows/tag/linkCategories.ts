import { proxyActivities } from '@temporalio/workflow';
import type { GraphControls } from '../../data/graph/graphControls.ts';
import type { StageHandle } from '../control/stageHandle.ts';
import type { GraphPlanActivities } from '../graph/graphTypes.ts';
import { inference } from '../profiles.ts';
import { runStage } from '../retrain/stageChild.ts';

/** Has a language model link the categories that the model's own graph lacks, where the run asks for that. */
export async function linkCategories(
  output: string,
  controls: GraphControls,
  handle: StageHandle,
): Promise<void> {
  const planner = proxyActivities<GraphPlanActivities>(inference(controls.heartbeatTimeoutS));
  // One after another: the limits of requests are those of each.
  for (let next; (next = await planner.beginLinking({ output })) !== null;) {
    const run = next;
    await runStage({
      run,
      kind: 'graph',
      input: { output: run.uri, controls },
      handle,
      isFinished: async () => (await planner.beginLinking({ output }))?.id !== run.id,
    });
  }
}
