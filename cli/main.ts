/** The `c2srt` command. */
import { Command, CommanderError } from 'commander';
import { cancelCommand } from './commands/cancel.ts';
import { compactCommand } from './commands/chain/compact.ts';
import { devCommand } from './commands/dev.ts';
import { describeError, EXIT, exitCodeOf } from './exit.ts';
import { modelCommand } from './commands/model.ts';
import { resumeCommand } from './commands/resume.ts';
import { pauseCommand } from './commands/pause.ts';
import { pretrainCommand } from './commands/pretrain.ts';
import { queryCommand } from './commands/chain/query.ts';
import { retryFailuresCommand } from './commands/chain/retryFailures.ts';
import { runsCommand } from './commands/runs.ts';
import { sampleCommand } from './commands/chain/sample.ts';
import { statusCommand } from './commands/status.ts';
import { tagCommand } from './commands/tag.ts';
import { trainCommand } from './commands/train.ts';
import { viewCommand } from './commands/chain/view.ts';
import { workerCommand } from './commands/worker.ts';

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
  retryFailuresCommand,
  viewCommand,
  compactCommand,
  queryCommand,
  sampleCommand,
  trainCommand,
  pretrainCommand,
  statusCommand,
  pauseCommand,
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
