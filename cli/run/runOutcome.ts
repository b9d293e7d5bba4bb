import { describeError, EXIT } from '../exit.ts';
import type { FollowOutcome } from './follow.ts';
import type { RunReference } from './runReference.ts';
import { VIEWS } from './views.ts';

/** Prints how a run ended, and returns the command's exit code. */
export function reportOutcome(
  run: RunReference,
  outcome: FollowOutcome,
  seconds: number,
  { json, embedded }: { json: boolean; embedded: boolean },
): number {
  const view = VIEWS[run.kind];
  const again = embedded
    ? `\`c2srt resume ${run.output}\` goes on from there`
    : `It goes on without this command: \`c2srt status ${run.id}\``;
  switch (outcome.kind) {
    case 'finished':
      return view.report(run, outcome.result, seconds, json);
    case 'failed':
      console.error(`Run ${run.id} failed: ${describeError(outcome.failure)}`);
      return EXIT.failed;
    case 'paused':
      console.error(
        `Run ${run.id} is paused: ${outcome.reason}.\n\`${view.goOn(run.output, outcome.reason)}\` goes on.`,
      );
      return EXIT.failed;
    case 'interrupted':
      console.error(`Run ${run.id} was not started. The same command starts it.`);
      return EXIT.interrupted;
    case 'detached':
      console.error(`Run ${run.id} is not finished. ${again}.`);
      return EXIT.interrupted;
  }
}
