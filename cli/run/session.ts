import { Client, type Connection } from '@temporalio/client';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../data/config/schema.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import {
  connectTemporal,
  temporalConnection,
  type TemporalEnvironment,
} from '../../infra/temporalConnection.ts';
import { installRuntime } from '../../workers/runtime.ts';
import { startWorkers, type WorkerGroup } from '../../workers/start.ts';
import { QUEUES, type Queue } from '../../workflows/queues.ts';

/** A command's connection to Temporal. */
export interface Session {
  client: Client;
  connection: Connection;
  namespace: string;
  /** Whether the server is the local one of `.c2srt/`, and this process does the work itself. */
  embedded: boolean;
  /** Starts workers in this process; does nothing for a remote server, whose work is done by `c2srt worker`. */
  startWorkers(): Promise<WorkerGroup | undefined>;
  /** Stops this process's workers, and the local server where nobody else uses it. */
  close(): Promise<void>;
}

/** Connects to TEMPORAL_ADDRESS, else to the local server, which is started where it does not run. */
export async function openSession(settings: Settings, onProgress: (line: string) => void): Promise<Session> {
  const remote = await temporalConnection(process.env);
  if (remote) {
    const connection = await connectTemporal(remote);
    return session(connection, remote, undefined, settings);
  }
  const server = await startOrAttachTemporal({ dir: settings.stateDir, onProgress });
  const local = { connection: { address: server.address }, namespace: server.namespace };
  try {
    return session(await connectTemporal(local), local, () => server.stop(), settings);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function session(
  connection: Connection,
  temporal: TemporalEnvironment,
  stopServer: (() => Promise<void>) | undefined,
  settings: Settings,
): Session {
  let workers: WorkerGroup | undefined;
  return {
    client: new Client({ connection, namespace: temporal.namespace }),
    connection,
    namespace: temporal.namespace,
    embedded: stopServer !== undefined,
    async startWorkers() {
      if (!stopServer) return undefined;
      mkdirSync(settings.stateDir, { recursive: true });
      installRuntime({ level: 'WARN', file: join(settings.stateDir, 'worker.log') });
      workers = await startWorkers(temporal, Object.keys(QUEUES) as Queue[], settings);
      return workers;
    },
    async close() {
      await workers?.shutdown();
      await connection.close();
      await stopServer?.();
    },
  };
}
