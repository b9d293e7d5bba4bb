import { once } from 'node:events';
import { join } from 'node:path';
import type { Command } from 'commander';
import { startLocalS3 } from '../../infra/s3.ts';
import { startOrAttachTemporal } from '../../infra/temporal.ts';
import { settingsOf, withSettings } from '../options.ts';

export function devCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('dev')
    .description(
      'Run a local Temporal server (with its web pages) and a local S3 server until stopped; prints the environment to export.',
    )
    .option('--s3-port <port>', 'port of the S3 server (default: a free one)')
    .option('--temporal-port <port>', 'port of the Temporal server (default: a free one)');
  withSettings(command, ['stateDir']);
  command.action(async (flags: Record<string, unknown> & { s3Port?: string; temporalPort?: string }) => {
    const { stateDir } = settingsOf(flags);
    const onProgress = (line: string): void => console.error(line);
    const buckets = join(stateDir, 's3');
    const temporal = await startOrAttachTemporal({
      dir: stateDir,
      onProgress,
      ui: true,
      ...(flags.temporalPort !== undefined && { port: Number(flags.temporalPort) }),
    });
    try {
      const s3 = await startLocalS3({
        dir: buckets,
        onProgress,
        ...(flags.s3Port !== undefined && { port: Number(flags.s3Port) }),
      });
      try {
        const environment = {
          TEMPORAL_ADDRESS: temporal.address,
          TEMPORAL_NAMESPACE: temporal.namespace,
          ...s3.env,
        };
        for (const [name, value] of Object.entries(environment)) console.log(`export ${name}=${value}`);
        if (temporal.uiUrl !== undefined) console.error(`Temporal's pages: ${temporal.uiUrl}`);
        console.error(
          `Both servers are up; Ctrl-C stops them. Buckets are the folders in ${buckets}: \`mkdir\` makes one. Runs need a worker: \`c2srt worker\`, with this environment.`,
        );
        await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
      } finally {
        await s3.stop();
      }
    } finally {
      await temporal.stop();
    }
    finish(0);
  });
}
