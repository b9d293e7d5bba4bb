/** The `c2srt` command. */
import { Command, CommanderError } from 'commander';
import { cancelCommand } from './commands/control/cancel.ts';
import { compactCommand } from './commands/chain/compact.ts';
import { datasetCommand } from './commands/dataset/index.ts';
import { devCommand } from './commands/dev.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { describeError, EXIT, exitCodeOf } from './exit.ts';
import { graphCommand } from './commands/graph/index.ts';
import { lineageCommand } from './commands/lineage.ts';
import { modelCommand } from './commands/model/index.ts';
import { resumeCommand } from './commands/control/resume.ts';
import { decideCommands } from './commands/control/decide.ts';
import { pauseCommand } from './commands/control/pause.ts';
import { pretrainCommand } from './commands/pretrain.ts';
import { queryCommand } from './commands/chain/query.ts';
import { reportCommand } from './commands/report.ts';
import { retryFailuresCommand } from './commands/chain/retryFailures.ts';
import { retrainCommand } from './commands/retrain.ts';
import { setCommand } from './commands/control/set.ts';
import { runsCommand } from './commands/control/runs.ts';
import { sampleCommand } from './commands/chain/sample.ts';
import { scheduleCommand } from './commands/schedule/index.ts';
import { statusCommand } from './commands/control/status.ts';
import { tailCommand } from './commands/control/tail.ts';
import { tagCommand } from './commands/tag.ts';
import { trainCommand } from './commands/train.ts';
import { viewCommand } from './commands/chain/view.ts';
import { workerCommand } from './commands/worker.ts';
import { worldCommand } from './commands/world/index.ts';

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
  reportCommand,
  trainCommand,
  pretrainCommand,
  evaluateCommand,
  graphCommand,
  retrainCommand,
  decideCommands,
  statusCommand,
  tailCommand,
  pauseCommand,
  resumeCommand,
  setCommand,
  cancelCommand,
  runsCommand,
  workerCommand,
  devCommand,
  modelCommand,
  lineageCommand,
  scheduleCommand,
  datasetCommand,
  worldCommand,
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
