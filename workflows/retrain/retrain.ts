import {
  allHandlersFinished,
  condition,
  continueAsNew,
  executeChild,
  proxyActivities,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { Stage } from '../../data/retrain/stages.ts';
import { extractAll } from '../train/features.ts';
import type { FeaturesActivities, FeaturesStoreActivities } from '../train/featuresTypes.ts';
import { accounting, inference, listing } from '../profiles.ts';
import type {
  Outcome,
  PersonsDecision,
  RetrainInput,
  RetrainProgress,
  RetrainResult,
  RetrainStoreActivities,
  ScheduledRetrainInput,
  ScheduledRetrainResult,
  StageEnd,
  StageRun,
} from './retrainTypes.ts';
import { announcing, listedAs } from '../control/announce.ts';
import { changeOf, PAUSE_ASKED, pauseSignal, resumeSignal, setSignal } from '../control/requests.ts';
import { StageHandle } from '../control/stageHandle.ts';
import { takeRequests } from '../control/takeRequests.ts';
import { decisionSignal, retrainProgressQuery, WAITS_FOR_APPROVAL } from '../signals.ts';
import { runStage } from './stageChild.ts';

const HOUR_MS = 3_600_000;

/**
 * Retrains a model: snapshot, features, graph, train, evaluate, gate, approval, publish, tag (docs/retraining.md). What a
 * stage makes is named by all that determines it and lies in the store, so a stage whose artifact is there is not done
 * again: after a lost execution, on another server, in another run.
 */
export async function retrain(input: RetrainInput): Promise<RetrainResult> {
  const { output, controls } = input;
  const { heartbeatTimeoutS } = controls;
  const reader = proxyActivities<RetrainStoreActivities>(listing(heartbeatTimeoutS));
  const store = proxyActivities<RetrainStoreActivities & FeaturesStoreActivities>(
    accounting(heartbeatTimeoutS),
  );
  const device = proxyActivities<FeaturesActivities>(inference(heartbeatTimeoutS));

  const progress: RetrainProgress = {
    ...NOTHING_DONE,
    ended: [],
    pausing: input.carried?.pausing ?? false,
  };
  const { concurrency, maxFailureRate } = input.carried ?? controls;
  const inForce = { concurrency, maxFailureRate };
  const handle = new StageHandle();
  /** Pieces of features that workers have in hand; other stages are runs of their own. */
  let inHand = 0;
  /** Grows when there may be a decision about the candidate. */
  let lookAgain = 0;
  // A signal that came with the start is handled here and now.
  setHandler(retrainProgressQuery, () => ({
    ...progress,
    child: handle.child,
    isWaiting: handle.child !== null && !handle.isOwn,
  }));
  const { enter: announceStage, wait } = announcing(progress);
  takeRequests({
    isEnding: () => progress.stage === 'done',
    inHand: () => inHand,
    inForce: () => inForce,
    async pause(asked) {
      if (progress.stage === 'features') wait(progress.paused ?? PAUSE_ASKED);
      else progress.pausing = progress.paused === null;
      await handle.tell(pauseSignal, asked);
      return { isPaused: progress.paused !== null, inHand, child: handle.child };
    },
    async resume(asked) {
      const wasPaused = progress.paused ?? (progress.pausing ? PAUSE_ASKED : null);
      Object.assign(inForce, changeOf(asked));
      progress.pausing = false;
      wait(null);
      lookAgain++;
      await handle.tell(resumeSignal, asked);
      return { wasPaused, child: handle.child };
    },
    async set(asked) {
      Object.assign(inForce, changeOf(asked));
      await handle.tell(setSignal, asked);
    },
  });
  // What was decided is in the run's folder: it must also be found by an execution that was not there to be told.
  setHandler(decisionSignal, () => {
    wait(null);
    lookAgain++;
  });

  const enter = async (stage: Stage): Promise<number> => {
    if (progress.pausing) wait(PAUSE_ASKED);
    progress.pausing = false;
    await condition(() => progress.paused === null);
    announceStage(stage);
    return Date.now();
  };
  const note = async (end: StageEnd): Promise<void> => {
    progress.ended.push(await store.noteStage({ output, end }));
  };
  const skip = (stage: Stage, summary: string): Promise<void> =>
    note({ stage, state: 'skipped', artifact: null, summary, seconds: 0, units: 0 });

  /** A stage that a run of its own kind does. */
  const make = async (
    stage: 'graph' | 'train' | 'evaluate' | 'tag',
    begin: () => Promise<StageRun>,
    controlsOfRun: () => object,
  ): Promise<StageRun> => {
    const startedMs = await enter(stage);
    const run = await begin();
    const state = run.finished
      ? 'reused'
      : await runStage({
          run,
          kind: stage,
          input: { output: run.uri, controls: controlsOfRun() },
          handle,
          isFinished: () => store.isFinished({ output: run.uri }),
        });
    // What another run has made in the meantime says nothing of how long it takes.
    const seconds = state === 'reused' ? 0 : (Date.now() - startedMs) / 1000;
    await note({ stage, state, artifact: run.uri, seconds, ...(await store.describeStage(run)) });
    return run;
  };

  const finish = async (outcome: Outcome, model: string | null, why: string[]): Promise<RetrainResult> => {
    const result = await store.finishRetrain({ output, outcome, model, why });
    await condition(allHandlersFinished);
    announceStage('done');
    return result;
  };

  const plan = await store.openRetrain({ output });
  const { artifacts, model } = plan;

  let startedMs = await enter('snapshot');
  const data = await reader.freezeData({ output });
  await note({
    stage: 'snapshot',
    state: data.reused ? 'reused' : 'done',
    artifact: data.uri,
    summary: `${data.images} images, ${data.validationImages} held back`,
    seconds: (Date.now() - startedMs) / 1000,
    units: data.images + data.validationImages,
  });
  if (data.published !== null)
    return finish('unchanged', data.published, [
      'A model of the same data, categories, settings and starting model was published before. `c2srt model promote` puts it in production where it is not, and `--from` makes it anew.',
    ]);
  const snapshot = data.uri;

  startedMs = await enter('features');
  const features = await device.planFeatures({ artifacts, snapshots: snapshot, model, ...plan.features });
  const left = await extractAll({
    artifacts,
    features,
    device,
    store,
    concurrency: () => (progress.paused === null ? inForce.concurrency : 0),
    from: input.carried?.features,
    handOver: () => workflowInfo().continueAsNewSuggested,
    report(pieces, piecesDone, atWork) {
      Object.assign(progress, { pieces, piecesDone });
      inHand = atWork;
    },
  });
  if (left) {
    await condition(allHandlersFinished);
    const pausing = progress.paused !== null;
    await continueAsNew<typeof retrain>({ ...input, carried: { features: left, pausing, ...inForce } });
  }
  const extracted = features.filter((kept) => !kept.extracted);
  if (features.length === 0) await skip('features', 'computed as they are needed');
  else
    await note({
      stage: 'features',
      state: extracted.length === 0 ? 'reused' : 'done',
      artifact: artifacts,
      summary: `${features.reduce((sum, { pieces }) => sum + pieces, 0)} pieces`,
      seconds: (Date.now() - startedMs) / 1000,
      units: extracted.reduce((sum, { images }) => sum + images, 0),
    });

  const common = () => ({ heartbeatTimeoutS, concurrency: inForce.concurrency });
  const graph = await make(
    'graph',
    () => store.beginGraph({ output, snapshot }),
    () => controls.graph,
  );
  const training = await make(
    'train',
    () => store.beginTraining({ output, snapshot, graph: graph.uri }),
    common,
  );
  const evaluation = await make(
    'evaluate',
    () => store.beginEvaluation({ output, snapshot, training: training.uri }),
    common,
  );

  startedMs = await enter('gate');
  const verdict = await store.judgeCandidate({ output, evaluation: evaluation.uri });
  await note({
    stage: 'gate',
    state: 'done',
    artifact: evaluation.uri,
    summary: verdict.passed ? 'passed' : 'failed',
    seconds: (Date.now() - startedMs) / 1000,
    units: verdict.rules.length,
  });
  if (!verdict.passed) return finish('rejected', null, verdict.rules);

  if (plan.approvalHours === null) await skip('approval', 'not asked for');
  else {
    startedMs = await enter('approval');
    // From when the gate said so, however often the run was lost or resumed since.
    const deadlineMs = verdict.judgedMs + plan.approvalHours * HOUR_MS;
    let decision: PersonsDecision | null;
    for (;;) {
      const looked = lookAgain;
      decision = await store.readDecision({ output, evaluation: evaluation.uri });
      if (decision !== null || Date.now() >= deadlineMs) break;
      wait(WAITS_FOR_APPROVAL);
      await condition(() => lookAgain > looked, Math.max(1, deadlineMs - Date.now()));
    }
    wait(null);
    const words = decision
      ? `${decision.approved ? 'approved' : 'rejected'} by ${decision.by}${decision.reason === '' ? '' : `: ${decision.reason}`}`
      : `nobody approved it in ${plan.approvalHours} hours`;
    await note({
      stage: 'approval',
      state: 'done',
      artifact: null,
      summary: words,
      seconds: (Date.now() - startedMs) / 1000,
      units: 1,
    });
    if (!decision?.approved) return finish('rejected', null, [...verdict.rules, `Approval: ${words}.`]);
  }

  startedMs = await enter('publish');
  const published = await store.publishCandidate({
    output,
    snapshot,
    graph: graph.uri,
    training: training.uri,
    evaluation: evaluation.uri,
  });
  await note({
    stage: 'publish',
    state: published.moved ? 'done' : 'reused',
    artifact: published.uri,
    summary: published.moved ? 'in production' : 'in production already',
    seconds: (Date.now() - startedMs) / 1000,
    units: 1,
  });

  if (plan.tags)
    await make(
      'tag',
      () => store.beginTagging({ output, model: published.uri }),
      () => ({ ...controls, ...inForce }),
    );
  else await skip('tag', 'nothing to tag');
  return finish('published', published.uri, verdict.rules);
}

/** A retraining that a schedule starts: the run gets a folder of its own, by which anyone can look at it or resume it. */
export async function retrainOnSchedule({
  pipeline,
  controls,
}: ScheduledRetrainInput): Promise<ScheduledRetrainResult> {
  const store = proxyActivities<RetrainStoreActivities>(accounting(controls.heartbeatTimeoutS));
  const { output, id } = await store.claimScheduled({ pipeline, run: workflowInfo().workflowId });
  // Tells people which run to look at or resume, however this ends.
  upsertMemo({ run: output });
  const { outcome, model } = await executeChild(retrain, {
    workflowId: id,
    args: [{ output, controls }],
    ...listedAs('retrain', output),
  });
  return { state: outcome, output, model };
}

const NOTHING_DONE: RetrainProgress = {
  stage: 'snapshot',
  ended: [],
  pieces: 0,
  piecesDone: 0,
  child: null,
  isWaiting: false,
  pausing: false,
  paused: null,
};
