import type { Command } from 'commander';
import { pauseSignal, pauseUpdate, type PauseAnswer } from '../../../workflows/control/requests.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { request, type Reply } from '../../run/server/request.ts';
import { findRun, runAtWork, type RunReference } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

interface PauseFlags {
  json?: boolean;
}

export function pauseCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('pause')
    .description(
      'Have a run wait where nothing is lost: a training at the end of its round, other runs at once. Says what is still in hand.',
    )
    .argument('<run>', "the run's id, or its folder")
    .option('--json', 'print one JSON object');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: PauseFlags) => {
    const session = await openSession(settingsOf({ ...flags }), () => undefined);
    try {
      const reference = await findRun(run, session);
      const ask = { update: pauseUpdate, signal: pauseSignal, change: {} };
      const reply = await request(session, await runAtWork(reference, session), ask);
      const told: Told[] = [{ reference, reply }];
      if ('answer' in reply && reply.answer.child) {
        // The run that does the stage has been told too; asked itself, it says what it has in hand.
        const { id, uri, kind } = reply.answer.child;
        const handle = session.client.workflow.getHandle(id);
        const child = await request(session, handle, ask).catch(() => undefined);
        if (child) told.push({ reference: { id, kind, output: uri }, reply: child });
      }
      if (flags.json) {
        const [own, child] = told.map(summaryOf);
        console.log(JSON.stringify({ ...own, child: child ?? null }));
      } else console.log(told.map(({ reference: of, reply: to }) => describe(of, to)).join('\n'));
    } finally {
      await session.close();
    }
    finish(0);
  });
}

interface Told {
  reference: RunReference;
  reply: Reply<PauseAnswer>;
}

const summaryOf = ({ reference: { id, output }, reply }: Told): object => ({
  run: id,
  output,
  isPaused: 'answer' in reply && reply.answer.isPaused,
  inHand: 'answer' in reply ? reply.answer.inHand : null,
  unanswered: 'answer' in reply ? null : reply.unanswered,
});

function describe({ id, kind, output }: RunReference, reply: Reply<PauseAnswer>): string {
  const { pieces, pausesAt } = VIEWS[kind];
  const goOn = `\`c2srt resume ${output}\` goes on.`;
  if ('unanswered' in reply)
    return `Run ${id} pauses as soon as a worker takes that up: ${reply.unanswered}. ${goOn}`;
  const { isPaused, inHand } = reply.answer;
  const [verb, noun] = inHand === 1 ? ['ends', pieces[0]] : ['end', pieces[1]];
  const left = inHand === 0 ? '' : ` ${inHand} ${noun} in hand ${verb} first.`;
  return `Run ${id} ${isPaused ? 'is paused' : `pauses ${pausesAt}`}.${left} ${goOn}`;
}
