import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { Command } from 'commander';
import type { Settings } from '../../../data/config/schema.ts';
import type { Counts } from '../../../data/run/counts.ts';
import { Failure, isFailure } from '../../../data/failure.ts';
import { openStore } from '../../../data/store/open.ts';
import { EXIT } from '../../exit.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { findRun, type RunReference } from '../../run/runReference.ts';
import { openSession } from '../../run/session.ts';
import { folderEvents } from '../../run/tail/folderEvents.ts';
import { followHistory, isUnknownWorkflow, type HistoryPosition } from '../../run/tail/followHistory.ts';
import { HistoryEvents } from '../../run/tail/historyEvents.ts';
import { eventText, isEnd, type RunEvent } from '../../run/tail/runEvent.ts';
import { wholeNumber } from '../../wholeNumber.ts';

/** Between two tries to reach a server that is gone. */
const RETRY_MS = 1_000;

interface TailFlags {
  json?: boolean;
  lines: string;
  since?: string;
  follow: boolean;
}

export function tailCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('tail')
    .description('Print what happens to a run, a line each, until it ends; the exit code is its outcome.')
    .argument('<run>', "the run's id, or its folder")
    .option('-n, --lines <n>', 'so many of the lines so far', '10')
    .option(
      '--since <when>',
      'all lines since a time (2026-01-31T12:00:00Z), or for the last 90s, 15m, 2h, 3d',
    )
    .option('--no-follow', 'end with what has happened so far')
    .option('--json', 'a JSON object per line');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: TailFlags) => {
    const printer = new Printer(flags);
    const interrupt = new AbortController();
    const stop = (): void => interrupt.abort();
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    try {
      finish(await tail(run, settingsOf({ ...flags }), printer, flags.follow, interrupt.signal));
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    }
  });
}

/** Prints the run's events; returns the exit code. A server that goes away is waited for. */
async function tail(
  run: string,
  settings: Settings,
  printer: Printer,
  follows: boolean,
  signal: AbortSignal,
): Promise<number> {
  const position: HistoryPosition = { eventId: 0 };
  const events = new HistoryEvents();
  let found: RunReference | undefined;
  for (;;) {
    const session = await openSession(settings, () => undefined).catch((error: unknown) => {
      // The first look finds a server or says what is wrong.
      if (found && isFailure(error, 'Setup.') && !signal.aborted) return undefined;
      throw error;
    });
    try {
      if (session) {
        found ??= await findRun(run, session);
        for await (const { event, isLast } of followHistory(session, found.id, position, signal)) {
          for (const happened of events.read(event)) printer.print(happened);
          if (isLast) printer.caughtUp();
          if (isLast && !follows) break;
        }
        return follows || printer.hasEnded ? printer.end() : EXIT.ok;
      }
    } catch (error) {
      if (signal.aborted) return EXIT.interrupted;
      if (found && isUnknownWorkflow(error) && position.eventId === 0)
        return await tailFolder(found, printer);
      if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) throw error;
    } finally {
      await session?.close();
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return EXIT.interrupted;
  }
}

async function tailFolder({ id, output: uri }: RunReference, printer: Printer): Promise<number> {
  for await (const happened of folderEvents(openStore(uri))) printer.print(happened);
  const code = printer.end();
  if (!printer.hasEnded)
    console.error(
      `This Temporal server does not know run ${id}: this is what its folder says. \`c2srt resume ${uri}\` goes on with it.`,
    );
  return code;
}

/** Prints events: of those so far the last ones, then each as it comes. */
class Printer {
  private readonly asJson: boolean;
  private readonly most: number;
  private readonly sinceMs: number | undefined;
  /** Events so far, until all of them are known. */
  private held: RunEvent[] | undefined = [];
  private last: RunEvent | undefined;

  constructor({ json, lines, since }: TailFlags) {
    this.asJson = json ?? false;
    this.most = wholeNumber('--lines', lines, 0);
    this.sinceMs = since === undefined ? undefined : timeOf(since);
  }

  get hasEnded(): boolean {
    return this.last !== undefined && isEnd(this.last);
  }

  print(happened: RunEvent): void {
    this.last = happened;
    if (this.sinceMs !== undefined && Date.parse(happened.at) < this.sinceMs) return;
    if (!this.held) {
      this.write(happened);
      return;
    }
    this.held.push(happened);
    if (this.sinceMs === undefined && this.held.length > this.most) this.held.shift();
  }

  /** All events so far are known. */
  caughtUp(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const happened of held) this.write(happened);
  }

  /** Nothing more comes; returns the exit code. */
  end(): number {
    this.caughtUp();
    if (this.last?.event !== 'finished') return EXIT.failed;
    const { images, tagged } = (this.last.result ?? {}) as Partial<Counts>;
    const failed = images !== undefined && tagged !== undefined ? images - tagged : 0;
    return failed > 0 ? EXIT.withFailures : EXIT.ok;
  }

  private write(happened: RunEvent): void {
    console.log(this.asJson ? JSON.stringify(happened) : eventText(happened));
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 };

/** `15m` before now, or a time, in ms since 1970. Throws `Usage.Flag`. */
function timeOf(when: string): number {
  const ago = /^(\d+)([smhd])$/.exec(when);
  const ms = ago ? Date.now() - Number(ago[1]) * UNITS_MS[ago[2]!]! : Date.parse(when);
  if (Number.isFinite(ms)) return ms;
  throw new Failure(
    'Usage.Flag',
    `--since is ${JSON.stringify(when)}: expected a time, or 90s, 15m, 2h, 3d.`,
  );
}
