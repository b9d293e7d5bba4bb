import type { Command } from 'commander';
import { importCommand } from './import.ts';
import { listCommand } from './list.ts';
import { promoteCommand } from './promote.ts';
import { publishCommand } from './publish.ts';
import { rollbackCommand } from './rollback.ts';
import { showCommand } from './show.ts';

export function modelCommand(program: Command, finish: (code: number) => void): void {
  const model = program
    .command('model')
    .description('Models: bring one in, look at one, publish, promote, roll back.');
  for (const add of [
    importCommand,
    showCommand,
    publishCommand,
    listCommand,
    promoteCommand,
    rollbackCommand,
  ])
    add(model, finish);
}
