import { randomUUID } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { isSeen, type Category } from '../../data/categories.ts';
import { Failure } from '../../data/failure.ts';
import { GRAPH_PLAN, planBaseKey } from '../../data/graph/graphLayout.ts';
import { readGraphBase, readGraphPlan, type GraphBase, type GraphPlan } from '../../data/graph/graphPlan.ts';
import type { GraphEdge } from '../../data/graphFile.ts';
import type { GraphRecord } from '../../data/run/record.ts';
import { putJsonOnce } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { planCalls } from '../../model/graph/planCalls.ts';
import { answerSchema, mostTokens, questionOf } from '../../model/graph/prompt.ts';
import { nearestAmong, shortlister } from '../../model/graph/shortlist.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { GraphPlanSummary } from '../../workflows/graph/graphTypes.ts';
import { modelGraph, readCategories, seenCategories } from '../prepare.ts';
import type { Inference } from '../tag/dependencies.ts';
import { cachedAnswers } from './answerCache.ts';

export interface PlanOptions {
  output: ObjectStore;
  record: GraphRecord;
  /** Opens the specification's model. */
  openModel: (uri: string) => Promise<ModelFolder>;
  inference: Pick<Inference, 'encodeCategories'>;
  openStore: (uri: string) => ObjectStore;
  /** Told how many shortlists are made. */
  report: (done: number) => void;
  signal: AbortSignal;
}

/**
 * Decides which categories get edges, and what a language model is asked about them. Of several attempts the first one's
 * plan counts, so that answers belong to its questions wherever the run goes on.
 */
export async function planGraph(options: PlanOptions): Promise<GraphPlanSummary> {
  const { output, record } = options;
  const known = await readGraphPlan(output);
  if (known) return summaryOf(output, record, known);
  const { base, ...plan } = await makePlan(options);
  const attempt = randomUUID();
  await output.put(planBaseKey(attempt), JSON.stringify(base), { contentType: 'application/json' });
  const counts = await putJsonOnce<GraphPlan>(output, GRAPH_PLAN, { version: 1, attempt, ...plan }, () =>
    readGraphPlan(output),
  );
  return summaryOf(output, record, counts);
}

async function summaryOf(
  output: ObjectStore,
  { spec }: GraphRecord,
  plan: GraphPlan,
): Promise<GraphPlanSummary> {
  const { targets, cached } = await readGraphBase(output, plan);
  return {
    categories: targets.length,
    calls: plan.calls.length,
    cached: cached.length,
    mostTokens: { input: plan.mostTokens, output: spec.settings.maxOutputTokens },
  };
}

type Plan = Omit<GraphPlan, 'version' | 'attempt'> & { base: GraphBase };
type Node = Category & { seen: boolean };

async function makePlan(options: PlanOptions): Promise<Plan> {
  const { output, record, openModel } = options;
  const { model: uri, extend, settings } = record.spec;
  const asked = await readCategories(output);
  const isAsking = settings.provider === 'llm';
  if (uri === null && (extend || isAsking))
    throw new Failure(
      'Run.Invalid',
      `${output.uri} names no model to ${extend ? 'extend' : 'choose questions with'}.`,
    );
  const model = uri === null || !(extend || isAsking) ? undefined : await openModel(uri);
  const { nodes, targets, own } = model && extend ? extension(model, asked) : whole(asked);
  const nothing: Plan = {
    nodes: nodes.map(({ name, aliases, seen }) => ({ name, aliases: [...aliases], seen })),
    calls: [],
    mostTokens: 0,
    base: { targets: targets.map((i) => nodes[i]!.name), own, cached: [], uncovered: 0, nearestSeen: {} },
  };
  return model && isAsking && targets.length > 0
    ? withQuestions(nothing, nodes, targets, model, options)
    : nothing;
}

/** All categories get edges. */
function whole(asked: readonly Category[]): { nodes: Node[]; targets: number[]; own: GraphEdge[] } {
  const nodes = asked.map((category) => ({ ...category, seen: isSeen(category) }));
  return { nodes, targets: nodes.map((_, i) => i), own: [] };
}

/** Those categories get edges that the model was not trained on and that its graph does not link. */
function extension(
  model: ModelFolder,
  asked: readonly Category[],
): { nodes: Node[]; targets: number[]; own: GraphEdge[] } {
  const trained = new Map(seenCategories(model).map((category) => [category.name, category]));
  const own = [...modelGraph(model).edges];
  const names = new Set([...asked.map(({ name }) => name), ...trained.keys()]);
  const linked = new Set(own.filter(({ source }) => names.has(source)).map(({ target }) => target));
  const others = [...trained.values()].filter(
    ({ name }) => !asked.some((category) => category.name === name),
  );
  const nodes = [...asked, ...others].map((category) => ({ ...category, seen: trained.has(category.name) }));
  const targets = asked.flatMap(({ name }, i) => (trained.has(name) || linked.has(name) ? [] : [i]));
  return { nodes, targets, own };
}

async function withQuestions(
  plan: Plan,
  nodes: readonly Node[],
  targets: readonly number[],
  model: ModelFolder,
  { record, inference, openStore, report, signal }: PlanOptions,
): Promise<Plan> {
  const { settings, cache } = record.spec;
  const { candidates: size, relations } = settings;
  const features = await inference.encodeCategories(model, nodes);
  const shortlistOf = shortlister(nodes, features, size);
  const seen = nodes.flatMap((node, i) => (node.seen ? [i] : []));
  const shortlists = new Map<number, number[]>();
  const nearestSeen: Record<string, string> = {};
  for (const target of targets) {
    signal.throwIfAborted();
    shortlists.set(target, shortlistOf(target));
    const nearest = nearestAmong(features, nodes.length, target, seen);
    if (nearest !== undefined) nearestSeen[nodes[target]!.name] = nodes[nearest]!.name;
    report(shortlists.size);
    // Thousands of shortlists take a while, in which heartbeats must be sent.
    await breathe();
  }

  const indices = new Map(nodes.map(({ name }, i) => [name, i]));
  const cached =
    cache === null
      ? []
      : await cachedAnswers(
          openStore(cache),
          settings,
          targets.map((i) => nodes[i]!),
        );
  const answered = new Map<number, Set<number>>();
  for (const { category, candidates } of cached) {
    const at = indices.get(category)!;
    const known = candidates.flatMap((name) => indices.get(name) ?? []);
    answered.set(at, new Set([...(answered.get(at) ?? []), ...known]));
  }
  const { calls, uncovered } = planCalls(shortlists, answered, size);
  const schema = answerSchema(relations);
  const most = calls.map(({ category, candidates }) =>
    mostTokens(
      questionOf(
        nodes[category]!,
        candidates.map((i) => nodes[i]!),
        relations,
      ),
      schema,
    ),
  );
  return {
    ...plan,
    calls,
    mostTokens: most.reduce((a, b) => Math.max(a, b), 0),
    base: { ...plan.base, cached, uncovered, nearestSeen },
  };
}
