import type { Command } from 'commander';
import { importCommand } from './import.ts';

export function datasetCommand(program: Command, finish: (code: number) => void): void {
  const command = program.command('dataset').description("Data sets: bring one into c2srt's own form.");
  importCommand(command, finish);
}
