import { Failure } from '../../data/failure.ts';
import { GRAPH_FILE } from '../../data/graph/graphLayout.ts';
import { readGraphBase, readGraphPlan, type GraphBase, type GraphPlan } from '../../data/graph/graphPlan.ts';
import { costOf, type TokenPrices } from '../../data/graph/tokens.ts';
import { graphHash, RELATIONS, type GraphEdge } from '../../data/graphFile.ts';
import { MANIFEST, SUCCESS } from '../../data/run/layout.ts';
import type { GraphRecord } from '../../data/run/record.ts';
import { readJson } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { finishEdges } from '../../model/graph/finishEdges.ts';
import { PROMPT_VERSION } from '../../model/graph/prompt.ts';
import { strongest } from '../../model/graph/strongest.ts';
import { wordnetEdges } from '../../model/graph/wordnet.ts';
import { WORDNET_VERSION } from '../../model/graph/wordnetDatabase.ts';
import type { GraphResult } from '../../workflows/graph/graphTypes.ts';
import { spentOf } from './ledger.ts';
import { propose } from './proposals.ts';

/** Of the edge from the nearest seen category, where nothing better is known: it only says that the names mean alike. */
const NEAREST_STRENGTH = 0.1;

export interface FinishOptions {
  output: ObjectStore;
  record: GraphRecord;
  openStore: (uri: string) => ObjectStore;
  prices: TokenPrices;
  report: (done: number) => void;
}

/** Makes the graph of what was found, then writes the manifest and `_SUCCESS`. */
export async function finishGraph(options: FinishOptions): Promise<GraphResult> {
  const { output, record, openStore, prices, report } = options;
  const { settings } = record.spec;
  if (await output.head(SUCCESS))
    return ((await readJson(output, MANIFEST)) as { result: GraphResult }).result;
  const plan = await readGraphPlan(output);
  if (!plan)
    throw new Failure('Run.Incomplete', `${output.uri} is not planned yet.`, { subject: output.uri });
  const base = await readGraphBase(output, plan);
  const proposal = await propose({ output, record, plan, base, openStore, report });
  const { targets, own, cached, uncovered } = base;

  const known = new Set(plan.nodes.map(({ name }) => name));
  const seen = new Set(plan.nodes.flatMap((node) => (node.seen ? [node.name] : [])));
  const wanted = new Set(targets);
  const usable = proposal.edges.filter(({ source, target }) => known.has(source) && wanted.has(target));
  const linkedBy: Record<LastResort, string[]> = { wordnet: [], nearest: [] };
  const link = settings.provider === 'llm' ? lastResort(plan, base, seen, linkedBy) : undefined;
  const { edges, dropped, withoutSeen } = finishEdges(usable, { targets, seen, ...(link && { link }) });

  const graph = { edges: [...own, ...edges] };
  const tokens = await spentOf(output);
  const result: GraphResult = {
    categories: targets.length,
    edges: edges.length,
    hash: graphHash(graph),
    calls: plan.calls.length,
    cached: cached.length,
    fallbacks: proposal.fallbacks.length,
    tokens,
    costUsd: costOf(tokens, prices),
  };
  // The model's own graph may name categories that it was not trained on and that nobody asks for.
  const categories = new Set([...known, ...own.flatMap(({ source, target }) => [source, target])]);
  await putJson(output, GRAPH_FILE, { categories: [...categories], relations: RELATIONS, ...graph });
  await putJson(output, MANIFEST, {
    run: record.id,
    spec: record.spec,
    result,
    provider: {
      kind: settings.provider,
      ...(settings.provider === 'llm' && { model: settings.llm, promptVersion: PROMPT_VERSION, prices }),
      ...(settings.provider !== 'file' && { wordnet: WORDNET_VERSION }),
    },
    edgesByRelation: Object.fromEntries(
      [...Map.groupBy(edges, ({ relation }) => relation)].map(([relation, { length }]) => [relation, length]),
    ),
    dropped: {
      ...proposal.dropped,
      'other-category': proposal.edges.length - usable.length,
      ...dropped,
    },
    repairedAnswers: proposal.repaired,
    fallbacks: proposal.fallbacks,
    linkedBy,
    withoutSeen,
    uncoveredPairs: uncovered,
  });
  await output.put(SUCCESS, '');
  return result;
}

type LastResort = 'wordnet' | 'nearest';

/**
 * What links a category that a language model gave no edge from a seen one: WordNet's strongest, else the nearest in text
 * space. Whom it links is noted in `linkedBy`.
 */
function lastResort(
  plan: GraphPlan,
  { nearestSeen, targets }: GraphBase,
  seen: ReadonlySet<string>,
  linkedBy: Record<LastResort, string[]>,
): (target: string) => GraphEdge | undefined {
  const wanted = new Set(targets);
  const fromSeen = wordnetEdges(
    plan.nodes.filter(({ name }) => seen.has(name)),
    plan.nodes.filter(({ name }) => wanted.has(name)),
  );
  const byTarget = Map.groupBy(fromSeen, ({ target }) => target);
  return (target) => {
    const [edge] = strongest(byTarget.get(target) ?? [], seen);
    const source = nearestSeen[target];
    if (edge === undefined && source === undefined) return undefined;
    linkedBy[edge === undefined ? 'nearest' : 'wordnet'].push(target);
    return edge ?? { source: source!, target, relation: 'synonym', strength: NEAREST_STRENGTH };
  };
}

const putJson = (output: ObjectStore, key: string, value: unknown): Promise<unknown> =>
  output.put(key, JSON.stringify(value, null, 1), { contentType: 'application/json' });
