import type { Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import { writeControls, type ControlChange } from '../../../data/run/atWork/controls.ts';
import { openStore } from '../../../data/store/open.ts';
import { setSignal, setUpdate } from '../../../workflows/control/requests.ts';
import { flagName } from '../../../data/config/schema.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { request } from '../../run/server/request.ts';
import { findRun, runAtWork } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';
import { VIEWS } from '../../run/views.ts';

const NAMES = ['concurrency', 'maxFailureRate'] as const satisfies (keyof ControlChange)[];

interface SetFlags extends Partial<Record<(typeof NAMES)[number], string>> {
  json?: boolean;
}

export function setCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('set')
    .description('Change how a run at work is worked on, from now on; a resume keeps to it.')
    .argument('<run>', "the run's id, or its folder")
    .option('--json', 'print one JSON object');
  withSettings(command, [...NAMES, 'stateDir']);
  command.action(async (run: string, flags: SetFlags) => {
    const settings = settingsOf({ ...flags });
    const given = NAMES.filter((name) => flags[name] !== undefined);
    if (given.length === 0)
      throw new Failure('Usage.NothingToSet', 'Nothing is to be set.', {
        hint: `Name ${NAMES.map(flagName).join(' or ')}, or both.`,
      });
    const change: ControlChange = Object.fromEntries(given.map((name) => [name, settings[name]]));
    const session = await openSession(settings, () => undefined);
    try {
      const reference = await findRun(run, session);
      const { id, kind, output } = reference;
      const missing = given.find((name) => !VIEWS[kind].settable.includes(name));
      if (missing)
        throw new Failure('Usage.NotSettable', `A run of kind ${kind} has no ${flagName(missing)}.`, {
          subject: id,
          hint: `It takes: ${VIEWS[kind].settable.map(flagName).join(', ') || 'nothing of this'}.`,
        });
      const handle = await runAtWork(reference, session);
      const reply = await request(session, handle, { update: setUpdate, signal: setSignal, change });
      await writeControls(openStore(output), change);
      const unanswered = 'unanswered' in reply ? reply.unanswered : null;
      const inForce = 'answer' in reply ? reply.answer : null;
      if (flags.json) console.log(JSON.stringify({ run: id, output, set: change, inForce, unanswered }));
      else {
        const what = given.map((name) => `${name} ${settings[name]}`).join(', ');
        console.log(
          unanswered === null
            ? `Run ${id} goes on with ${what}.`
            : `Run ${id} goes on with ${what} as soon as a worker takes that up: ${unanswered}.`,
        );
      }
    } finally {
      await session.close();
    }
    finish(0);
  });
}
