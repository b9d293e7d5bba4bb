import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import type { RetrainSettings } from '../../data/config/retrainSchema.ts';
import type { Settings } from '../../data/config/schema.ts';
import { costOf } from '../../data/graph/tokens.ts';
import { writePipeline } from '../../data/retrain/pipeline.ts';
import type { Stage } from '../../data/retrain/stages.ts';
import { openStore } from '../../data/store/open.ts';
import { QUEUES } from '../../workflows/queues.ts';
import type { Survey, SurveyedStage } from '../../workflows/retrain/retrainTypes.ts';
import { EXIT } from '../exit.ts';
import { rootFailure } from '../run/follow.ts';
import { unpolledQueues } from '../run/pending.ts';
import { etaText } from '../run/progressDisplay.ts';
import { openSession } from '../run/session.ts';
import type { ConfiguredPipeline } from './pipelineOf.ts';

/** Stages whose time is a GPU worker's. */
const ON_GPU: readonly Stage[] = ['features', 'train', 'evaluate', 'tag'];

export interface DryRunOptions extends ConfiguredPipeline {
  from: Stage | null;
  settings: Settings;
  gpuHourUsd: RetrainSettings['gpuHourUsd'];
  json: boolean;
}

/** Prints what a retraining would do and take; returns the command's exit code. */
export async function dryRun({
  spec,
  inputs,
  from,
  settings,
  gpuHourUsd,
  json,
}: DryRunOptions): Promise<number> {
  const session = await openSession(settings, (line) => {
    if (!json) process.stderr.write(`${line}\n`);
  });
  let survey: Survey;
  try {
    await session.startWorkers();
    if (!session.embedded)
      for (const queue of await unpolledQueues(session))
        process.stderr.write(`waiting: no worker polls \`${queue}\`; start one with \`c2srt worker\`\n`);
    const { heartbeatTimeoutS } = settings;
    const pipeline = await writePipeline(spec, inputs, openStore);
    const surveying = await session.client.workflow.start('surveyRetrain', {
      workflowId: `survey-${spec.name}-${randomUUID()}`,
      taskQueue: QUEUES.orchestrate,
      args: [{ pipeline, from, heartbeatTimeoutS }],
    });
    survey = (await surveying.result().catch((error: unknown) => {
      throw error instanceof WorkflowFailedError ? rootFailure(error) : error;
    })) as Survey;
  } finally {
    await session.close();
  }
  const stages = survey.stages.map((stage) => ({ ...stage, usd: costUsd(stage, settings, gpuHourUsd) }));
  const sum = (pick: (stage: (typeof stages)[number]) => number | null) =>
    stages.reduce((total, stage) => total + (pick(stage) ?? 0), 0);
  const total = { seconds: sum(({ seconds }) => seconds), usd: sum(({ usd }) => usd) };
  if (json) console.log(JSON.stringify({ unchanged: survey.unchanged, stages, total }));
  else for (const line of describe(survey.unchanged, stages, total)) console.log(line);
  return EXIT.ok;
}

/** Of GPU workers, and of a language model at most; null where neither is known. */
function costUsd(
  { stage, seconds, tokens }: SurveyedStage,
  { llmInputPrice: input, llmOutputPrice: output }: Settings,
  gpuHourUsd: number,
): number | null {
  const prices = { input, output };
  if (tokens) return input + output > 0 ? costOf(tokens, prices) : null;
  return ON_GPU.includes(stage) && seconds !== null && gpuHourUsd > 0 ? (seconds / 3600) * gpuHourUsd : null;
}

function describe(
  unchanged: string | null,
  stages: readonly (SurveyedStage & { usd: number | null })[],
  total: { seconds: number; usd: number },
): string[] {
  if (unchanged !== null)
    return [`Unchanged: a model of the same inputs was published before, ${unchanged}. Nothing would run.`];
  const lines = stages.map(({ stage, state, work, seconds, usd, tokens }) =>
    [
      stage.padEnd(8),
      state.padEnd(7),
      work,
      ...(seconds === null ? [] : [`about ${etaText({ etaSeconds: seconds })}`]),
      ...(tokens === null ? [] : [`at most ${tokens.input + tokens.output} tokens`]),
      ...(usd === null ? [] : [`${tokens === null ? 'about' : 'at most'} $${usd.toFixed(2)}`]),
    ].join('  '),
  );
  const unpaced = stages.filter(
    ({ state, seconds, units }) => state === 'runs' && units !== 0 && seconds === null,
  );
  const without = unpaced
    .map(({ stage }) => stage)
    .filter((stage) => stage !== 'gate' && stage !== 'approval' && stage !== 'publish');
  const isKnown = stages.some(({ seconds }) => seconds !== null);
  const inAll = [
    ...(isKnown ? [`about ${etaText({ etaSeconds: total.seconds })}`] : []),
    ...(total.usd > 0 ? [`$${total.usd.toFixed(2)}`] : []),
    ...(without.length === 0
      ? []
      : [
          `${isKnown || total.usd > 0 ? 'without' : 'not known for'} ${without.join(', ')}: no earlier run in this store tells their pace, or how much there is`,
        ]),
  ];
  return [...lines, ...(inAll.length === 0 ? [] : [`in all    ${inAll.join(', ')}`])];
}
