import { Failure } from '../../data/failure.ts';
import { readGraphPlan, type GraphPlan } from '../../data/graph/graphPlan.ts';
import { requireGraphRun, requireTagRun } from '../../data/run/requireRun.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type {
  AskProgress,
  AskResult,
  GraphLlmActivities,
  GraphPlanActivities,
  GraphPlanSummary,
  GraphResult,
  GraphStoreActivities,
} from '../../workflows/graph/graphTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import type { Inference } from '../tag/dependencies.ts';
import { askCategories } from './askCategories.ts';
import { beginLinking } from './beginLinking.ts';
import { finishGraph } from './finishGraph.ts';
import { readGraphState } from './graphState.ts';
import type { Llm } from './llm/client.ts';
import { planGraph } from './planGraph.ts';

interface Stores {
  openStore(uri: string): ObjectStore;
}

/** The activity of the `gpu` queue. */
export function createGraphPlanActivities({
  openStore,
  inference,
  resolveModel,
}: Stores & {
  inference: Pick<Inference, 'encodeCategories'>;
  /** A model's folder on this machine, fetched where it has to be. */
  resolveModel(uri: string): Promise<{ dir: string }>;
}): GraphPlanActivities {
  return {
    planGraph: ({ output: uri }) =>
      withHeartbeat<number, GraphPlanSummary>(async ({ signal, report }) => {
        const output = openStore(uri);
        const record = await requireGraphRun(output);
        const openModel = async (model: string) => openModelFolder((await resolveModel(model)).dir);
        return planGraph({ output, record, openModel, inference, openStore, report, signal });
      }),

    beginLinking: ({ output: uri }) =>
      withHeartbeat(async () => {
        const record = await requireTagRun(openStore(uri));
        const { dir } = await resolveModel(record.spec.model);
        return beginLinking(record, uri, openModelFolder(dir), openStore);
      }),
  };
}

/** The activity of the `llm` queue. */
export function createGraphLlmActivities({ openStore, llm }: Stores & { llm: Llm }): GraphLlmActivities {
  const plans = new Map<string, GraphPlan>();
  /** A run's plan, which never changes; only the latest is kept, as a worker seldom asks for two runs. */
  const planOf = async (output: ObjectStore, createdAt: string): Promise<GraphPlan> => {
    const key = `${output.uri} ${createdAt}`;
    const known = plans.get(key);
    if (known) return known;
    const plan = await readGraphPlan(output);
    if (!plan)
      throw new Failure('Run.Incomplete', `${output.uri} is not planned yet.`, { subject: output.uri });
    plans.clear();
    plans.set(key, plan);
    return plan;
  };
  return {
    askCategories: (input) =>
      withHeartbeat<AskProgress, AskResult>(async ({ signal, attempt, report }) => {
        const output = openStore(input.output);
        const record = await requireGraphRun(output);
        const plan = await planOf(output, record.createdAt);
        const cache = record.spec.cache === null ? undefined : openStore(record.spec.cache);
        return askCategories({ input, output, record, plan, cache, llm, attempt, signal, report });
      }),
  };
}

/** The activities of the `orchestrate` queue. */
export function createGraphStoreActivities({ openStore }: Stores): GraphStoreActivities {
  return {
    readGraphState: ({ output }) => withHeartbeat(() => readGraphState(openStore(output))),

    finishGraph: ({ output: uri, prices }) =>
      withHeartbeat<number, GraphResult>(async ({ report }) => {
        const output = openStore(uri);
        return finishGraph({ output, record: await requireGraphRun(output), openStore, prices, report });
      }),
  };
}
