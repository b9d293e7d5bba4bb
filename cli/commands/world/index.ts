import type { Command } from 'commander';
import { worldMakeCommand } from './make.ts';

export function worldCommand(program: Command, finish: (code: number) => void): void {
  const world = program
    .command('world')
    .description('The benchmark world: scenes of icons whose every object, label and pixel is known.');
  worldMakeCommand(world, finish);
}
