/** `buildGraph` on a real Temporal server, with activities that keep a graph in memory and record their calls. */
import { randomUUID } from 'node:crypto';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { GraphControls } from '../../../data/graph/graphControls.ts';
import type { Tokens } from '../../../data/graph/tokens.ts';
import { QUEUES } from '../../../workflows/queues.ts';
import type { buildGraph } from '../../../workflows/graph/buildGraph.ts';
import type {
  AskInput,
  AskResult,
  BuildGraphInput,
  GraphLlmActivities,
  GraphPlanActivities,
  GraphStoreActivities,
} from '../../../workflows/graph/graphTypes.ts';

/** What a request takes, and can take at most. */
const TAKEN: Tokens = { input: 100, output: 50 };
const MOST: Tokens = { input: 400, output: 200 };

/** The folder of a graph, and what was asked, in order. */
export class MemoryGraph {
  readonly asked: AskInput[] = [];
  readonly answered = new Set<number>();
  readonly calls: number;
  /** Called before each batch is answered. */
  atWork: (input: AskInput) => Promise<void> | void = () => undefined;

  constructor(calls: number) {
    this.calls = calls;
  }

  private spent(): Tokens {
    const { size } = this.answered;
    return { input: size * TAKEN.input, output: size * TAKEN.output };
  }

  planner(): GraphPlanActivities {
    const { calls } = this;
    return {
      planGraph: () => Promise.resolve({ categories: calls, calls, cached: 0, mostTokens: MOST }),
      beginLinking: () => Promise.resolve(null),
    };
  }

  asker(): GraphLlmActivities {
    return {
      askCategories: async (input): Promise<AskResult> => {
        this.asked.push(input);
        await this.atWork(input);
        for (let call = input.from; call < input.to; call++) this.answered.add(call);
        const count = input.to - input.from;
        return {
          ...{ next: input.to, fallbacks: 0, dialect: { format: 'object', without: ['seed'] } },
          spent: { input: count * TAKEN.input, output: count * TAKEN.output },
        };
      },
    };
  }

  store(): GraphStoreActivities {
    return {
      readGraphState: () => {
        const open = Array.from({ length: this.calls }, (_, i) => i).filter((i) => !this.answered.has(i));
        const pending = open.map((from) => ({ from, to: from + 1 }));
        const whole = { from: 0, to: this.calls };
        return Promise.resolve({
          ...{ fallbacks: 0, spent: this.spent() },
          pending: open.length === this.calls ? [whole] : pending,
        });
      },
      finishGraph: () =>
        Promise.resolve({
          ...{ categories: this.calls, edges: 1, hash: '00', calls: this.calls, cached: 0, fallbacks: 0 },
          ...{ tokens: this.spent(), costUsd: 0 },
        }),
    };
  }
}

export const graphControls = (change: Partial<GraphControls> = {}): GraphControls => ({
  ...{ heartbeatTimeoutS: 60, concurrency: 2, batch: 2, requestsPerMinute: null, tokensPerMinute: null },
  ...{ maxCostUsd: null, prices: { input: 0, output: 0 } },
  ...change,
});

/** What serves a graph: a client and a worker's connection of one server, and the workflows' code. */
export interface GraphServing {
  client: Client;
  native: NativeConnection;
  workflows: Pick<WorkerOptions, 'workflowsPath' | 'workflowBundle'>;
}

/** Runs `during` while workers serve a graph; they have stopped when it returns. */
export async function withGraph<Result>(
  { client, native, workflows }: GraphServing,
  graph: MemoryGraph,
  controls: GraphControls,
  during: (handle: WorkflowHandle<typeof buildGraph>) => Promise<Result>,
  workflowId = `graph-${randomUUID()}`,
): Promise<Result> {
  const workers = await Promise.all([
    Worker.create({
      ...{ connection: native, taskQueue: QUEUES.orchestrate, ...workflows },
      activities: graph.store(),
    }),
    Worker.create({ connection: native, taskQueue: QUEUES.gpu, activities: graph.planner() }),
    Worker.create({ connection: native, taskQueue: QUEUES.llm, activities: graph.asker() }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  const input: BuildGraphInput = { output: 'file:///runs/memory', controls };
  const handle = await client.workflow.start<typeof buildGraph>('buildGraph', {
    ...{ taskQueue: QUEUES.orchestrate, workflowId, args: [input] },
  });
  try {
    return await during(handle);
  } finally {
    await handle.terminate().catch(() => undefined);
    for (const worker of workers) worker.shutdown();
    await running;
  }
}
