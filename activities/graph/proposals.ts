/** What each provider of relations finds. */
import pMap from 'p-map';
import { answerKey } from '../../data/graph/graphLayout.ts';
import { readAnswerFile, type Answer, type GraphBase, type GraphPlan } from '../../data/graph/graphPlan.ts';
import { parseGraph, type GraphEdge } from '../../data/graphFile.ts';
import { GRAPH } from '../../data/run/layout.ts';
import type { GraphRecord } from '../../data/run/record.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { wordnetEdges } from '../../model/graph/wordnet.ts';
import { labelEdges } from './labelEdges.ts';

/** Answers read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

/** What a provider proposes, and what it has to say about that. */
export interface Proposal {
  edges: GraphEdge[];
  /** Edges that were not used, by reason. */
  dropped: Record<string, number>;
  /** Categories that WordNet stands in for the model, and why. */
  fallbacks: { category: string; code: string; message: string }[];
  /** Answers that were mended. */
  repaired: number;
}

/** The edges that a run's provider proposes for the targets of its plan; some may be of other categories. */
export async function propose({
  output,
  record,
  plan,
  base,
  openStore,
  report,
}: {
  output: ObjectStore;
  record: GraphRecord;
  plan: GraphPlan;
  base: GraphBase;
  openStore: (uri: string) => ObjectStore;
  report: (done: number) => void;
}): Promise<Proposal> {
  const { settings, snapshot } = record.spec;
  const nothing = { dropped: {}, fallbacks: [], repaired: 0 };
  const wanted = new Set(base.targets);
  const targets = plan.nodes.filter(({ name }) => wanted.has(name));
  switch (settings.provider) {
    case 'file':
      return { ...nothing, edges: [...parseGraph((await output.get(GRAPH)).body, GRAPH).edges] };
    case 'wordnet': {
      const edges = wordnetEdges(plan.nodes, targets);
      if (snapshot === null) return { ...nothing, edges };
      const linked = new Set(
        edges.flatMap(({ source, target }) => [pair(source, target), pair(target, source)]),
      );
      const together = await labelEdges(openStore(snapshot), plan.nodes, report);
      // Of a wolf and an animal, labels only say what WordNet does, and in the wrong direction too.
      const more = together.filter(({ source, target }) => !linked.has(pair(source, target)));
      return { ...nothing, edges: [...edges, ...more] };
    }
    case 'llm': {
      const answers = await pMap(
        plan.calls.map((_, call) => call),
        async (call) => {
          const answer = await readAnswerFile(output, answerKey(call));
          report(call);
          return answer;
        },
        { concurrency: CONCURRENCY },
      );
      return fromAnswers([...base.cached, ...answers], plan);
    }
  }
}

function fromAnswers(answers: readonly Answer[], plan: GraphPlan): Proposal {
  const dropped: Record<string, number> = {};
  for (const answer of answers)
    for (const [reason, count] of Object.entries(answer.dropped))
      dropped[reason] = (dropped[reason] ?? 0) + count;
  const fallbacks = answers.flatMap(({ category, fallback }) =>
    fallback === null ? [] : [{ category, ...fallback }],
  );
  const unanswered = new Set(fallbacks.map(({ category }) => category));
  const standIn = wordnetEdges(
    plan.nodes,
    plan.nodes.filter(({ name }) => unanswered.has(name)),
  );
  return {
    edges: [...answers.flatMap(({ edges }) => edges), ...standIn],
    dropped,
    fallbacks,
    repaired: answers.filter(({ repaired }) => repaired).length,
  };
}

const pair = (a: string, b: string): string => JSON.stringify([a, b]);
