import { availableParallelism } from 'node:os';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createCorpusActivities } from '../activities/corpusActivities.ts';
import { createIncrementActivities } from '../activities/incrementActivities.ts';
import {
  createGraphLlmActivities,
  createGraphPlanActivities,
  createGraphStoreActivities,
} from '../activities/graph/graphActivities.ts';
import { createLlm } from '../activities/graph/llm/client.ts';
import { createEvaluateActivities } from '../activities/evaluate/evaluateActivities.ts';
import { createEvaluateStoreActivities } from '../activities/evaluate/evaluateStoreActivities.ts';
import { createTagActivities } from '../activities/tagActivities.ts';
import { createRetrainActivities, createSurveyActivities } from '../activities/retrain/retrainActivities.ts';
import {
  createFeaturesActivities,
  createFeaturesStoreActivities,
} from '../activities/train/features/featuresActivities.ts';
import { createTrainActivities } from '../activities/train/trainActivities.ts';
import { createTrainStoreActivities } from '../activities/train/trainStoreActivities.ts';
import type { Settings } from '../data/config/schema.ts';
import { openStore } from '../data/store/open.ts';
import { cacheDir } from '../infra/programs.ts';
import type { TemporalEnvironment } from '../infra/temporalConnection.ts';
import { QUEUES, type Queue } from '../workflows/queues.ts';
import { openDevice, type Device } from './device.ts';
import { FailureInterceptor } from './failures.ts';
import type { GraphPlanActivities } from '../workflows/graph/graphTypes.ts';
import type { FeaturesActivities } from '../workflows/train/featuresTypes.ts';
import type { EvaluateActivities } from '../workflows/evaluate/evaluateTypes.ts';
import type { TrainActivities } from '../workflows/train/trainTypes.ts';
import type { TagActivities } from '../workflows/tag/tagTypes.ts';
import { workflowBundle } from './workflowBundle.ts';

/** How long activities get on shutdown to spool what they have. */
const SHUTDOWN_FORCE_TIME = '2 minutes';

/** Heartbeats carry progress; this often they reach the server. */
const HEARTBEAT_THROTTLE = '2 seconds';

export interface WorkerGroup {
  /** Resolves when all workers have stopped; rejects where one fails. */
  readonly finished: Promise<void>;
  /** Stops taking work, lets activities spool what they have, waits for the inference that runs, and releases all. */
  shutdown(): Promise<void>;
}

/** Starts the workers of this process, one per queue. */
export async function startWorkers(
  temporal: TemporalEnvironment,
  queues: readonly Queue[],
  settings: Settings,
): Promise<WorkerGroup> {
  const connection = await NativeConnection.connect(temporal.connection);
  const closers: (() => Promise<unknown>)[] = [];
  const workers: Worker[] = [];
  let lost: AbortSignal | undefined;
  try {
    const common: Pick<
      WorkerOptions,
      | 'connection'
      | 'namespace'
      | 'interceptors'
      | 'shutdownForceTime'
      | 'maxHeartbeatThrottleInterval'
      | 'defaultHeartbeatThrottleInterval'
    > = {
      connection,
      namespace: temporal.namespace,
      interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
      shutdownForceTime: SHUTDOWN_FORCE_TIME,
      maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    };
    if (queues.includes('orchestrate')) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: QUEUES.orchestrate,
          workflowBundle: await workflowBundle(cacheDir()),
          activities: {
            ...createCorpusActivities({ openStore }),
            ...createIncrementActivities({ openStore }),
            ...createTrainStoreActivities({ openStore }),
            ...createEvaluateStoreActivities({ openStore }),
            ...createGraphStoreActivities({ openStore }),
            ...createFeaturesStoreActivities({ openStore }),
            ...createRetrainActivities({ openStore }),
          },
          workflowThreadPoolSize: Math.min(2, availableParallelism()),
        }),
      );
    }
    if (queues.includes('gpu')) {
      const device = openDevice(settings);
      const activities = deviceActivities(device);
      lost = device.lost;
      closers.push(device.close);
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: QUEUES.gpu,
          activities,
          maxConcurrentActivityTaskExecutions: settings.shardSlots,
        }),
      );
    }
    if (queues.includes('llm')) {
      const { llmBaseUrl: baseUrl, llmApiKeyVariable: apiKeyVariable, llmTimeoutMs: timeoutMs } = settings;
      const llm = createLlm({ baseUrl, apiKeyVariable, apiKey: process.env[apiKeyVariable], timeoutMs });
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: QUEUES.llm,
          activities: createGraphLlmActivities({ openStore, llm }),
        }),
      );
    }
  } catch (error) {
    // The connection cannot be closed while a worker holds it; why this failed is what matters.
    await Promise.allSettled([release()]);
    throw error;
  }

  async function release(): Promise<void> {
    await Promise.all(closers.map((close) => close()));
    await connection.close();
  }
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  // What fails takes the rest with it, the device's thread too: half a process would look alive and not be.
  lost?.addEventListener('abort', stop);
  const runs = Promise.allSettled(workers.map((worker) => worker.run().finally(stop)));
  const finished = runs.then(async (results) => {
    await release();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    lost?.throwIfAborted();
  });
  finished.catch(() => undefined);
  return {
    finished,
    async shutdown() {
      stop();
      await finished;
    },
  };
}

/** The activities of the `gpu` queue on a device. */
function deviceActivities({
  dependencies,
  cache,
  inference,
}: Device): TagActivities & EvaluateActivities & TrainActivities & FeaturesActivities & GraphPlanActivities {
  const training = { ...dependencies, device: inference.training };
  return {
    ...createTagActivities({ ...dependencies, cache, inference }),
    ...createTrainActivities(training),
    ...createEvaluateActivities({ ...dependencies, cache, inference }),
    ...createGraphPlanActivities({ ...dependencies, inference }),
    ...createFeaturesActivities(training),
    ...createSurveyActivities({ ...dependencies, inference }),
  };
}
