import type { Command } from 'commander';
import { settingsOf, withSettings } from '../../options.ts';
import { openSession } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

/** Workflows that are runs: not the children that do a part of one. */
const RUNS = [...new Set(Object.values(VIEWS).map(({ workflow }) => `WorkflowType = '${workflow}'`))].join(
  ' OR ',
);

interface ListedRun {
  run: string;
  state: string;
  output: string;
  startedAt: string;
  endedAt: string | null;
}

export function runsCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('runs')
    .description('List the runs that this Temporal server knows, latest first.')
    .option('--json', 'print a JSON array')
    .option('--limit <n>', 'at most this many', '50');
  withSettings(command, ['stateDir']);
  command.action(async (flags: { json?: boolean; limit: string }) => {
    const session = await openSession(settingsOf({ ...flags }), () => undefined);
    try {
      const runs: ListedRun[] = [];
      for await (const { workflowId, status, memo, startTime, closeTime } of session.client.workflow.list({
        query: RUNS,
      })) {
        const output = memo?.['output'];
        runs.push({
          run: workflowId,
          state: status.name.toLowerCase(),
          output: typeof output === 'string' ? output : '',
          startedAt: startTime.toISOString(),
          endedAt: closeTime?.toISOString() ?? null,
        });
        if (runs.length >= Number(flags.limit)) break;
      }
      if (flags.json) console.log(JSON.stringify(runs));
      else if (runs.length === 0) console.log('No runs yet.');
      else console.table(runs);
    } finally {
      await session.close();
    }
    finish(0);
  });
}
