import { userInfo } from 'node:os';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import { putDecision, readStageReceipts } from '../../../data/retrain/stageReceipt.ts';
import { otherKind, requireRun } from '../../../data/run/requireRun.ts';
import { SUCCESS } from '../../../data/run/layout.ts';
import { openStore } from '../../../data/store/open.ts';
import { decisionSignal } from '../../../workflows/signals.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { findRun } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';

interface DecideFlags {
  by?: string;
  reason?: string;
}

/** `approve` and `reject`. */
export function decideCommands(program: Command, finish: (code: number) => void): void {
  for (const [name, approved] of [
    ['approve', true],
    ['reject', false],
  ] as const) {
    const command = program
      .command(name)
      .description(
        approved
          ? 'Let a retraining publish its candidate, which has passed the gate.'
          : 'Have a retraining end without publishing its candidate.',
      )
      .argument('<run>', "the retraining's id, or its folder")
      .option('--by <name>', 'who decides (default: the user of this machine)')
      .option('--reason <text>', 'why, for the record');
    withSettings(command, ['stateDir']);
    command.action(async (run: string, flags: DecideFlags) => {
      await decide(run, approved, flags);
      finish(0);
    });
  }
}

/**
 * Writes the decision into the run's folder, where the run finds it whenever and wherever it goes on, and tells the
 * workflow where there is one.
 */
async function decide(run: string, approved: boolean, flags: DecideFlags): Promise<void> {
  const session = await openSession(settingsOf({ ...flags }), () => undefined);
  try {
    const { id, output: uri } = await findRun(run, session);
    const output = openStore(uri);
    const record = await requireRun(output);
    if (record.kind !== 'retrain') throw otherKind(output, record, 'retrain');
    const receipts = new Map((await readStageReceipts(output)).map((receipt) => [receipt.stage, receipt]));
    const evaluation = receipts.get('evaluate')?.artifact;
    if (await output.head(SUCCESS))
      throw new Failure('Run.Finished', `Run ${id} is over: there is nothing to decide.`, { subject: uri });
    if (record.spec.approvalHours === null)
      throw new Failure('Run.NoApproval', `Run ${id} asks nobody: retrain.approval is off.`, {
        subject: uri,
      });
    if (evaluation === undefined || evaluation === null || receipts.get('gate')?.summary !== 'passed')
      throw new Failure('Run.NoCandidate', `Run ${id} has no candidate that has passed the gate yet.`, {
        subject: uri,
        hint: `\`c2srt status ${uri}\` says where it is.`,
      });
    const decision = await putDecision(output, evaluation, {
      approved,
      by: flags.by ?? userInfo().username,
      reason: flags.reason ?? '',
      decidedAt: new Date().toISOString(),
    });
    if (decision.approved !== approved)
      throw new Failure(
        'Run.Decided',
        `${decision.by} has ${decision.approved ? 'approved' : 'rejected'} the candidate of ${id} already, at ${decision.decidedAt}.`,
        { subject: uri },
      );
    const told = await session.client.workflow
      .getHandle(id)
      .signal(decisionSignal)
      .then(
        () => true,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        },
      );
    const goesOn = told && !session.embedded ? 'it goes on' : `\`c2srt resume ${uri}\` goes on with it`;
    console.log(`The candidate of ${id} is ${approved ? 'approved' : 'rejected'}; ${goesOn}.`);
  } finally {
    await session.close();
  }
}
