import type { Command } from 'commander';
import { worldMakeCommand } from './make.ts';
import { worldPretrainCommand } from './pretrain.ts';

export function worldCommand(program: Command, finish: (code: number) => void): void {
  const world = program
    .command('world')
    .description('The benchmark world: scenes of icons whose every object, label and pixel is known.');
  worldMakeCommand(world, finish);
  worldPretrainCommand(world, finish);
}
