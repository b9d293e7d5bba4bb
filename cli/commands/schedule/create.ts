import type { ScheduleClient, ScheduleOptions } from '@temporalio/client';
import { Option, type Command } from 'commander';
import { QUEUES } from '../../../workflows/queues.ts';
import { CONTROL_SETTINGS, settingsOf, withSettings } from '../../options.ts';
import { scheduledActionOf, WHATS, type ActionFlags, type What } from '../../schedule/action.ts';
import { askingOf } from '../../schedule/failure.ts';
import { timingOf, withTiming, type TimingFlags } from '../../schedule/timing.ts';
import { withSchedules } from '../../schedule/withSchedules.ts';
import { addValue, withTagFlags } from '../tag.ts';

interface CreateFlags extends TimingFlags, ActionFlags {
  what: What;
  paused?: boolean;
  json?: boolean;
}

export function createCommand(schedule: Command, finish: (code: number) => void): void {
  const command = schedule.command('create').description('Have a run start at times.');
  withWhat(command)
    .option('--paused', 'do not fire until it is resumed')
    .action(async (name: string, flags: CreateFlags) => {
      const options = await optionsOf(name, flags);
      const state = { paused: flags.paused ?? false };
      await withSchedules({ ...flags }, async (schedules, session) => {
        await askingOf(name, () => schedules.create({ scheduleId: name, ...options, state }));
        await tell(schedules, name, session.embedded, flags.json ?? false);
      });
      finish(0);
    });
}

export function updateCommand(schedule: Command, finish: (code: number) => void): void {
  const command = schedule
    .command('update')
    .description(
      'Replace what a schedule does and when; whether it is paused stays. Takes all flags of create.',
    );
  withWhat(command).action(async (name: string, flags: CreateFlags) => {
    const options = await optionsOf(name, flags);
    await withSchedules({ ...flags }, async (schedules, session) => {
      const handle = schedules.getHandle(name);
      await askingOf(name, () => handle.update(({ state }) => ({ ...options, state })));
      await tell(schedules, name, session.embedded, flags.json ?? false);
    });
    finish(0);
  });
}

function withWhat(command: Command): Command {
  command
    .argument('<name>', 'name of the schedule')
    .addOption(new Option('--what <run>', 'what it starts').choices(WHATS).default('retrain'));
  withTiming(command);
  command
    .option('--source <uri...>', 'of tag runs: s3://bucket/prefix, file:///folder or a folder')
    .option(
      '--categories <[name=]file>',
      'of tag runs: text (one per line), JSON or CSV; may be given again',
      addValue,
    )
    .option('--out <uri>', 'of tag runs: the folder of their folders, outside the sources');
  withTagFlags(command);
  withSettings(command, [
    'model',
    'shardSize',
    ...CONTROL_SETTINGS,
    'maxBytes',
    'maxPixels',
    'decodeTimeoutMs',
    'stateDir',
  ]);
  return command.option('--json', 'print JSON');
}

async function optionsOf(
  name: string,
  flags: CreateFlags,
): Promise<Pick<ScheduleOptions, 'spec' | 'policies' | 'action'>> {
  const timing = timingOf(flags);
  const { workflow, args, workflowIdPrefix, memo } = await scheduledActionOf(
    flags.what,
    name,
    flags,
    settingsOf({ ...flags }),
  );
  return {
    ...timing,
    action: {
      type: 'startWorkflow',
      workflowType: workflow,
      args,
      taskQueue: QUEUES.orchestrate,
      workflowId: workflowIdPrefix,
      memo,
    },
  };
}

/** Says when the schedule fires next. */
async function tell(
  schedules: ScheduleClient,
  name: string,
  embedded: boolean,
  json: boolean,
): Promise<void> {
  const { state, info } = await schedules.getHandle(name).describe();
  const [next] = info.nextActionTimes;
  if (json) console.log(JSON.stringify({ schedule: name, paused: state.paused, next: next ?? null }));
  else
    console.log(
      state.paused
        ? `Schedule ${name} is paused; \`c2srt schedule resume ${name}\` starts it.`
        : `Schedule ${name} fires next at ${next?.toISOString() ?? 'no time'}.`,
    );
  // What is on no other machine fires only while somebody uses it.
  if (embedded)
    console.error(
      "It is on this folder's local Temporal server, so it fires while `c2srt worker` runs here; set TEMPORAL_ADDRESS for a server of its own.",
    );
}
