import {
  WorkflowNotFoundError,
  type ScheduleDescription,
  type ScheduleExecutionResult,
} from '@temporalio/client';
import type { Command } from 'commander';
import { withSettings } from '../../options.ts';
import { rootFailure } from '../../run/follow.ts';
import type { TagIncrementResult } from '../../../workflows/tag/incrementTypes.ts';
import type { ScheduledRetrainResult } from '../../../workflows/retrain/retrainTypes.ts';
import type { Session } from '../../run/session.ts';
import { whatOf } from '../../schedule/action.ts';
import { askingOf } from '../../schedule/failure.ts';
import { overlapName } from '../../schedule/timing.ts';
import { withSchedules } from '../../schedule/withSchedules.ts';

/** What the workflows that schedules start come to. */
type ScheduledResult = Pick<TagIncrementResult | ScheduledRetrainResult, 'state' | 'output'>;

interface DescribedAction {
  /** Id of the workflow that was started. */
  workflow: string;
  /** URI of the folder of the run that it came to; null where there is none yet. */
  output: string | null;
  at: string;
  /** `running`, what the run came to, or why it failed. */
  outcome: string;
}

export function describeCommand(schedule: Command, finish: (code: number) => void): void {
  const command = schedule
    .command('describe')
    .description('What a schedule does and when, what it did last, and how that ended.')
    .argument('<name>', 'name of the schedule')
    .option('--json', 'print JSON');
  withSettings(command, ['stateDir']);
  command.action(async (name: string, flags: { json?: boolean }) => {
    const described = await withSchedules({ ...flags }, async (schedules, session) => {
      const description = await askingOf(name, () => schedules.getHandle(name).describe());
      const recent = await Promise.all(
        description.info.recentActions.map((action) => describeAction(session, action)),
      );
      return { ...summaryOf(description), recent: recent.reverse() };
    });
    if (flags.json) console.log(JSON.stringify(described));
    else print(described);
    finish(0);
  });
}

function summaryOf({ scheduleId, spec, action, policies, state, info }: ScheduleDescription) {
  return {
    schedule: scheduleId,
    what: whatOf(action.workflowType) ?? action.workflowType,
    input: action.args ?? [],
    cron: (spec.calendars ?? []).map(({ comment }) => comment ?? ''),
    everySeconds: (spec.intervals ?? []).map(({ every }) => every / 1000),
    timezone: spec.timezone ?? 'UTC',
    overlap: overlapName(policies.overlap),
    catchupSeconds: policies.catchupWindow / 1000,
    pauseOnFailure: policies.pauseOnFailure,
    paused: state.paused,
    note: state.note ?? '',
    next: state.paused ? [] : info.nextActionTimes.map((time) => time.toISOString()),
    fired: info.numActionsTaken,
    skipped: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
  };
}

async function describeAction(
  { client }: Session,
  { action, takenAt }: ScheduleExecutionResult,
): Promise<DescribedAction> {
  const { workflowId: workflow, firstExecutionRunId } = action.workflow;
  const base = { workflow, at: takenAt.toISOString(), output: null as string | null };
  const handle = client.workflow.getHandle(workflow, undefined, { firstExecutionRunId });
  try {
    const { status, memo } = await handle.describe();
    if (typeof memo?.['run'] === 'string') base.output = memo['run'];
    if (status.name === 'RUNNING') return { ...base, outcome: 'running' };
    const { state, output } = (await handle.result()) as ScheduledResult;
    return { ...base, output, outcome: state };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      return { ...base, outcome: 'not kept by the server any more' };
    const { code, message } = rootFailure(error);
    return { ...base, outcome: `failed: ${code}: ${message}` };
  }
}

function print({
  recent,
  next,
  input,
  ...fields
}: ReturnType<typeof summaryOf> & { recent: DescribedAction[] }): void {
  for (const [name, value] of Object.entries(fields)) {
    const text = Array.isArray(value) ? value.join(', ') : String(value);
    if (text !== '') console.log(`${name.padEnd(15)} ${text}`);
  }
  console.log(`${'input'.padEnd(15)} ${JSON.stringify(input)}`);
  for (const time of next.slice(0, 5)) console.log(`${'next'.padEnd(15)} ${time}`);
  for (const { at, workflow, outcome, output } of recent)
    console.log(`${'did'.padEnd(15)} ${at} ${workflow}: ${outcome}${output === null ? '' : `, ${output}`}`);
}
