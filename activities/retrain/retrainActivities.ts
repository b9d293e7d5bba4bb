import { MANIFEST, SUCCESS } from '../../data/run/layout.ts';
import { artifactsUri, freshly } from '../../data/retrain/artifacts.ts';
import { claimScheduledRun } from '../../data/retrain/pipeline.ts';
import { putStageReceipt, readDecision, readStageReceipts } from '../../data/retrain/stageReceipt.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type {
  FrozenData,
  RetrainResult,
  RetrainStoreActivities,
  RetrainSurveyActivities,
  StageEnd,
  Survey,
} from '../../workflows/retrain/retrainTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import { judgeCandidate, publishCandidate } from './candidate.ts';
import { describeStage } from './describeStage.ts';
import { freezeData } from './freezeData.ts';
import { openPipeline } from './openPipeline.ts';
import { surveyRetrain, type SurveyDependencies } from './survey.ts';
import { beginEvaluation, beginGraph, beginTagging, beginTraining } from './stageRuns.ts';

/** Activities of a retraining, on the `orchestrate` queue: what takes long is done by the runs that they begin. */
export function createRetrainActivities({
  openStore,
}: {
  openStore(uri: string): ObjectStore;
}): RetrainStoreActivities {
  const open = (uri: string) => openPipeline(uri, openStore);
  return {
    claimScheduled: ({ pipeline, run }) => withHeartbeat(() => claimScheduledRun(pipeline, run, openStore)),

    openRetrain: ({ output }) =>
      withHeartbeat(async () => {
        const { spec, model, record } = await open(output);
        const { trainedBlocks, cache, cacheLimitGiB, validationLimit, maxFailureRate } = spec.settings.train;
        const { run: again = null } = freshly('features', spec.from, record.id);
        return {
          artifacts: artifactsUri(spec.store),
          model,
          features: { trainedBlocks, cache, cacheLimitGiB, validationLimit, maxFailureRate, again },
          approvalHours: spec.approvalHours,
          tags: spec.tag !== null,
        };
      }),

    freezeData: ({ output }) =>
      withHeartbeat<number, FrozenData>(async (scope) => freezeData(await open(output), scope)),

    beginGraph: ({ output, snapshot }) => withHeartbeat(async () => beginGraph(await open(output), snapshot)),
    beginTraining: ({ output, snapshot, graph }) =>
      withHeartbeat(async () => beginTraining(await open(output), snapshot, graph)),
    beginEvaluation: ({ output, snapshot, training }) =>
      withHeartbeat(async () => beginEvaluation(await open(output), snapshot, training)),
    beginTagging: ({ output, model }) => withHeartbeat(async () => beginTagging(await open(output), model)),

    judgeCandidate: ({ output, evaluation }) =>
      withHeartbeat(async () => judgeCandidate(await open(output), evaluation)),

    readDecision: ({ output, evaluation }) =>
      withHeartbeat(async () => {
        const decision = await readDecision(openStore(output), evaluation);
        return decision ? { approved: decision.approved, by: decision.by, reason: decision.reason } : null;
      }),

    publishCandidate: ({ output, ...candidate }) =>
      withHeartbeat(async ({ signal }) => publishCandidate(await open(output), candidate, signal)),

    isFinished: ({ output }) =>
      withHeartbeat(async () => (await openStore(output).head(SUCCESS)) !== undefined),

    describeStage: ({ uri }) => withHeartbeat(() => describeStage(openStore(uri))),

    noteStage: ({ output, end }) =>
      withHeartbeat(async () => {
        const { endedAt: _, ...noted } = await putStageReceipt(openStore(output), {
          ...end,
          endedAt: new Date().toISOString(),
        });
        return noted satisfies StageEnd;
      }),

    finishRetrain: ({ output: uri, outcome, model, why }) =>
      withHeartbeat(async () => {
        const { output, record } = await open(uri);
        const receipts = await readStageReceipts(output);
        const result: RetrainResult = {
          outcome,
          model,
          why,
          stages: receipts.map(({ endedAt: _, ...noted }) => noted),
        };
        const manifest = { run: record.id, spec: record.spec, result };
        await output.put(MANIFEST, JSON.stringify(manifest, null, 1), { contentType: 'application/json' });
        await output.put(SUCCESS, '');
        return result;
      }),
  };
}

/** The activity of a survey, on the `gpu` queue. */
export function createSurveyActivities(dependencies: SurveyDependencies): RetrainSurveyActivities {
  return {
    surveyRetrain: (input) =>
      withHeartbeat<number, Survey>((scope) => surveyRetrain(input, dependencies, scope)),
  };
}
