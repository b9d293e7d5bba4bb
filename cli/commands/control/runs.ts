import { Option, type Command } from 'commander';
import { kindOfRunId, type RunKind } from '../../../data/run/record.ts';
import { searchable, SEARCH_ATTRIBUTES } from '../../../data/run/atWork/searchAttributes.ts';
import { canonicalUri } from '../../../data/store/open.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { isUnknownAttribute } from '../../run/server/searchable.ts';
import { openSession, type Session } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';
import { wholeNumber } from '../../wholeNumber.ts';

/** Workflows that are runs: not the children that do a part of one. */
const RUNS = [...new Set(Object.values(VIEWS).map(({ workflow }) => `WorkflowType = '${workflow}'`))].join(
  ' OR ',
);

/** What `--status` takes, and Temporal's words for it; `paused` is a state of those that are running. */
const STATUSES = {
  running: 'Running',
  paused: 'Running',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Canceled',
  terminated: 'Terminated',
} as const;

interface ListedRun {
  run: string;
  /** `running`, `paused`, or how it has ended. */
  state: string;
  stage: string | null;
  output: string;
  startedAt: string;
  endedAt: string | null;
}

interface RunsFlags {
  json?: boolean;
  limit: string;
  kind?: RunKind;
  status?: keyof typeof STATUSES;
  output?: string;
}

export function runsCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('runs')
    .description('List the runs that this Temporal server knows, latest first.')
    .option('--json', 'print a JSON array')
    .addOption(new Option('--kind <kind>', 'only those of a kind').choices(Object.keys(VIEWS)))
    .addOption(new Option('--status <status>', 'only those in a state').choices(Object.keys(STATUSES)))
    .option('--output <uri>', 'only those whose folder is this one or lies below it')
    .option('--limit <n>', 'at most this many', '50');
  withSettings(command, ['stateDir']);
  command.action(async (flags: RunsFlags) => {
    const limit = wholeNumber('--limit', flags.limit);
    const session = await openSession(settingsOf({ ...flags }), () => undefined);
    try {
      const runs = await listRuns(session, flags, limit);
      if (flags.json) console.log(JSON.stringify(runs));
      else if (runs.length === 0) console.log('No such runs.');
      else console.table(runs);
    } finally {
      await session.close();
    }
    finish(0);
  });
}

/**
 * The runs that are asked for. Search attributes have the server look for them; runs that were started without, and
 * servers that have none, are gone through by what every run says of itself in its memo.
 */
async function listRuns(session: Session, flags: RunsFlags, limit: number): Promise<ListedRun[]> {
  const { kind, status } = flags;
  const output = flags.output === undefined ? undefined : canonicalUri(flags.output);
  const always = [
    `(${RUNS})`,
    ...(kind === undefined ? [] : [`WorkflowId STARTS_WITH '${kind}-'`]),
    ...(status === undefined ? [] : [`ExecutionStatus = '${STATUSES[status]}'`]),
  ];
  const searched = [
    ...(output === undefined
      ? []
      : [orNone(SEARCH_ATTRIBUTES.output, `STARTS_WITH ${quoted(searchable(output))}`)]),
    ...(status === 'paused' ? [orNone(SEARCH_ATTRIBUTES.paused, '= true')] : []),
  ];
  const isAsked = (run: ListedRun): boolean =>
    (kind === undefined || kindOfRunId(run.run) === kind) &&
    (status === undefined || run.state === status) &&
    (output === undefined || run.output === output || run.output.startsWith(`${output}/`));
  try {
    return await find([...always, ...searched]);
  } catch (error) {
    if (searched.length === 0 || !isUnknownAttribute(error)) throw error;
    return find(always);
  }

  async function find(conditions: readonly string[]): Promise<ListedRun[]> {
    const found: ListedRun[] = [];
    const runs = session.client.workflow.list({ query: conditions.join(' AND ') });
    for await (const { workflowId, status: ended, memo = {}, startTime, closeTime } of runs) {
      const isPaused = ended.name === 'RUNNING' && typeof memo['paused'] === 'string';
      const run = {
        run: workflowId,
        state: isPaused ? 'paused' : ended.name.toLowerCase(),
        stage: textOf(memo['stage']),
        output: textOf(memo['output']) ?? '',
        startedAt: startTime.toISOString(),
        endedAt: closeTime?.toISOString() ?? null,
      };
      if (isAsked(run)) found.push(run);
      if (found.length >= limit) break;
    }
    return found;
  }
}

const orNone = (attribute: string, condition: string): string =>
  `(${attribute} ${condition} OR ${attribute} IS NULL)`;

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
