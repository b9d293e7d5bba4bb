import type { Command } from 'commander';
import { changeCommands } from './change.ts';
import { createCommand, updateCommand } from './create.ts';
import { describeCommand } from './describe.ts';
import { listCommand } from './list.ts';

export function scheduleCommand(program: Command, finish: (code: number) => void): void {
  const schedule = program
    .command('schedule')
    .description('Runs at times: create, look at, pause, trigger, make up for, delete.');
  for (const add of [createCommand, updateCommand, listCommand, describeCommand, changeCommands])
    add(schedule, finish);
}
