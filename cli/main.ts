/** The `c2srt` command. */
import { Command, CommanderError } from 'commander';
import { cancelCommand } from './cancel.ts';
import { devCommand } from './dev.ts';
import { describeError, EXIT, exitCodeOf } from './exit.ts';
import { modelCommand } from './model.ts';
import { resumeCommand } from './resume.ts';
import { runsCommand } from './runs.ts';
import { statusCommand } from './status.ts';
import { tagCommand } from './tag.ts';
import { workerCommand } from './worker.ts';

const program = new Command('c2srt')
  .description('Open-vocabulary multi-label tagging of image corpora, as a durable pipeline.')
  .version('0.1.0')
  .showHelpAfterError('(--help says more)')
  .exitOverride();

const finish = (code: number): void => {
  process.exitCode = code;
};
for (const add of [
  tagCommand,
  statusCommand,
  resumeCommand,
  cancelCommand,
  runsCommand,
  workerCommand,
  devCommand,
  modelCommand,
])
  add(program, finish);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    console.error(describeError(error));
    process.exitCode = exitCodeOf(error);
  }
}
