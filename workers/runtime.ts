import { appendFileSync } from 'node:fs';
import { DefaultLogger, Runtime, type LogLevel } from '@temporalio/worker';

/**
 * Sets up the SDK's runtime of this process, once, before anything else uses it. Signals are the command's to handle:
 * what a Ctrl-C means depends on where the run is.
 */
export function installRuntime({ level, file }: { level: LogLevel; file?: string }): void {
  const logger = new DefaultLogger(level, ({ level: severity, message, meta, timestampNanos }) => {
    const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
    const line = `${time} ${severity} ${message}${meta ? ` ${JSON.stringify(meta, stringifyErrors)}` : ''}\n`;
    if (file === undefined) process.stderr.write(line);
    else appendFileSync(file, line);
  });
  // Without forwarding, the native side writes to standard output, which belongs to the command's result.
  const telemetryOptions = { logging: { filter: { core: 'WARN', other: 'ERROR' } as const, forward: {} } };
  Runtime.install({ logger, shutdownSignals: [], telemetryOptions });
}

function stringifyErrors(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === 'bigint' ? value.toString() : value;
}
