import type { Command } from 'commander';
import { Failure } from '../../data/failure.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import { temporalConnection } from '../../infra/temporalConnection.ts';
import { installRuntime } from '../../workers/runtime.ts';
import { startWorkers } from '../../workers/start.ts';
import { QUEUES, type Queue } from '../../workflows/queues.ts';
import { LLM_WORKER_SETTINGS, settingsOf, WORKER_SETTINGS, withSettings } from '../options.ts';

export function workerCommand(program: Command, finish: (code: number) => void): void {
  const names = Object.keys(QUEUES) as Queue[];
  const command = program
    .command('worker')
    .description('Do the work of runs: poll task queues until told to stop (SIGINT or SIGTERM).')
    .option('--queues <names>', `queues to serve, separated by commas: ${names.join(', ')}`, names.join(','));
  withSettings(command, [...WORKER_SETTINGS, ...LLM_WORKER_SETTINGS, 'stateDir']);
  command.action(async (flags: Record<string, unknown> & { queues: string }) => {
    const settings = settingsOf(flags);
    const queues = flags.queues.split(',').map((name) => parseQueue(name.trim(), names));
    const remote = await temporalConnection(process.env);
    const server = remote
      ? undefined
      : await startOrAttachTemporal({ dir: settings.stateDir, onProgress: (line) => console.error(line) });
    try {
      installRuntime({ level: 'INFO' });
      const temporal = remote ?? { connection: { address: server!.address }, namespace: server!.namespace };
      const workers = await startWorkers(temporal, queues, settings);
      let stopping = false;
      const stop = (): void => {
        if (stopping) return;
        stopping = true;
        console.error('stopping: waiting for the work in hand to be spooled ...');
        workers.shutdown().catch(() => undefined);
      };
      process.on('SIGINT', stop);
      process.on('SIGTERM', stop);
      console.error(`worker ${process.pid} polls ${queues.join(', ')} at ${temporal.connection.address}`);
      await workers.finished;
    } finally {
      await server?.stop();
    }
    finish(0);
  });
}

function parseQueue(name: string, names: readonly Queue[]): Queue {
  const queue = names.find((known) => known === name);
  if (queue) return queue;
  throw new Failure('Usage.Flag', `--queues names ${JSON.stringify(name)}, which is not a queue.`, {
    hint: `Queues are: ${names.join(', ')}.`,
  });
}
