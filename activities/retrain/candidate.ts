/** What becomes of a pipeline's candidate: judged by the gate, decided about, published. */
import { z } from 'zod';
import { readEvaluation, type EvaluationMetrics } from '../../data/evaluation/metricsFile.ts';
import { graphHash, parseGraph } from '../../data/graphFile.ts';
import { GRAPH_FILE } from '../../data/graph/graphLayout.ts';
import { gateSchema, type Figures, type GraphLineage } from '../../data/models/lineage.ts';
import { publishModel } from '../../data/models/publish.ts';
import { modelsUri } from '../../data/retrain/artifacts.ts';
import { verdictKey } from '../../data/retrain/retrainLayout.ts';
import { MANIFEST } from '../../data/run/layout.ts';
import { requireRun } from '../../data/run/requireRun.ts';
import { putJsonOnce, readJson, readJsonIfThere } from '../../data/store/json.ts';
import { judge } from '../../model/evaluation/gate.ts';
import type { Verdict } from '../../workflows/retrain/retrainTypes.ts';
import { contentOf, putPublished } from './freezeData.ts';
import type { Pipeline } from './openPipeline.ts';

const verdictSchema = gateSchema.extend({ evaluation: z.string(), judgedAt: z.iso.datetime() });

/** Applies the gate's rules to a candidate's figures, and keeps what they say. */
export async function judgeCandidate(
  { output, spec, openStore }: Pipeline,
  evaluation: string,
): Promise<Verdict> {
  const key = verdictKey(evaluation);
  const read = async () => verdictSchema.optional().parse(await readJsonIfThere(output, key));
  const known = await read();
  const { passed, rules, judgedAt } =
    known ??
    (await putJsonOnce(
      output,
      key,
      {
        evaluation,
        ...verdictSchema
          .pick({ passed: true, rules: true })
          .parse(judge(spec.settings.gate.rules, await readEvaluation(openStore(evaluation)))),
        judgedAt: new Date().toISOString(),
      },
      read,
    ));
  return { passed, rules: rules.map(({ why }) => why), judgedMs: Date.parse(judgedAt) };
}

export interface Candidate {
  snapshot: string;
  graph: string;
  training: string;
  evaluation: string;
}

/**
 * Publishes a candidate in the place of the model that it was compared with. Throws `Model.AliasMoved` where that is no
 * longer the one in production: a resumed run compares with the new one.
 */
export async function publishCandidate(
  pipeline: Pipeline,
  { snapshot, graph, training, evaluation }: Candidate,
  signal: AbortSignal,
): Promise<{ uri: string; moved: boolean }> {
  const { output, record, spec, openStore } = pipeline;
  const compared = await requireRun(openStore(evaluation));
  const production = compared.kind === 'evaluate' ? compared.spec.production : null;
  const metrics = await readEvaluation(openStore(evaluation));
  const { uri, moved } = await publishModel({
    openStore,
    model: training,
    evaluation,
    models: modelsUri(spec.store, spec.name),
    alias: spec.alias,
    expected: production === null ? null : production.split('/').at(-1)!,
    by: record.id,
    reason: 'passed the gate',
    lineage: {
      graph: await graphLineage(pipeline, graph),
      figures: figuresOf(metrics),
      gate: verdictSchema.parse(await readJson(output, verdictKey(evaluation))),
    },
    signal,
  });
  await putPublished(pipeline, await contentOf(snapshot, openStore), {
    uri,
    run: record.id,
    publishedAt: new Date().toISOString(),
  });
  return { uri, moved };
}

const graphManifest = z.object({
  result: z.object({ tokens: z.object({ input: z.number(), output: z.number() }), costUsd: z.number() }),
  provider: z.object({ kind: z.string(), model: z.string().optional() }),
});

async function graphLineage({ openStore }: Pipeline, uri: string): Promise<GraphLineage> {
  const folder = openStore(uri);
  const graph = parseGraph((await folder.get(GRAPH_FILE)).body, GRAPH_FILE);
  const { result, provider } = graphManifest.parse(await readJson(folder, MANIFEST));
  const asked = provider.model !== undefined;
  return {
    hash: graphHash(graph),
    provider: provider.model ?? provider.kind,
    tokens: asked ? result.tokens.input + result.tokens.output : null,
    costUsd: asked ? result.costUsd : null,
  };
}

/** The candidate's mAP and F1@K by group, in percent. */
function figuresOf({ systems }: EvaluationMetrics): Figures {
  const groups = Object.entries(systems.candidate?.groups ?? {});
  return Object.fromEntries(
    groups.flatMap(([group, { figures }]) =>
      Object.entries(figures)
        .filter(([name]) => name === 'mAP' || name.startsWith('F1@'))
        .map(([name, { value }]) => [`${group} ${name}`, value] as const),
    ),
  );
}
