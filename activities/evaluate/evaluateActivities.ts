import { randomUUID } from 'node:crypto';
import { requireEvaluateRun } from '../../data/run/requireRun.ts';
import type {
  EvaluateActivities,
  EvaluatePlan,
  ScoredShard,
} from '../../workflows/evaluate/evaluateTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import type { TagDependencies } from '../tag/openRun.ts';
import { OpenEvaluations } from './score/openEvaluation.ts';
import { prepareEvaluation } from './prepare/prepareEvaluation.ts';
import { scoreShard } from './score/scoreShard.ts';

/** Activities of an evaluation that run models, on the `gpu` queue. */
export function createEvaluateActivities(dependencies: TagDependencies): EvaluateActivities {
  const { openStore } = dependencies;
  const evaluations = new OpenEvaluations(dependencies);
  return {
    prepareEvaluation: ({ output: uri }) =>
      withHeartbeat<number, EvaluatePlan>(async () => {
        const output = openStore(uri);
        return prepareEvaluation(output, await requireEvaluateRun(output), dependencies);
      }),

    scoreImages: ({ output: uri, snapshot, shard }) =>
      withHeartbeat<number, ScoredShard>(({ signal, report }) =>
        evaluations.with(uri, async (evaluation) => {
          const options = { snapshot, shard, attempt: randomUUID(), signal, report };
          const { receipt, reused } = await scoreShard(evaluation, options);
          return { images: receipt.images, failed: receipt.failed.length, reused };
        }),
      ),
  };
}
