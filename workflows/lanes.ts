import { condition } from '@temporalio/workflow';

/**
 * Runs `count` lanes of work side by side. When one fails (or is cancelled), `stop` is told, so that the others take
 * nothing more; what they have in hand ends first, spooled, and only then the failure is thrown.
 */
export async function runLanes(count: number, lane: () => Promise<void>, stop: () => void): Promise<void> {
  const failures: unknown[] = [];
  const run = (): Promise<void> =>
    lane().catch((error: unknown) => {
      failures.push(error);
      stop();
    });
  await Promise.all(Array.from({ length: count }, run));
  if (failures.length > 0) throw failures[0];
}

/** Work that is handed out piece by piece; all of it may change while it is at work. */
export interface Pieces {
  /** Whether there is a piece left to start. */
  isLeft(): boolean;
  /** Whether one may be started now, beside so many that are at work. */
  isOpen(atWork: number): boolean;
  /** Takes the next piece and does it. */
  work(): Promise<void>;
}

/**
 * Does pieces of work side by side, as many as may be. When one fails, or the run is cancelled, nothing more is started;
 * what is in hand ends first, and only then the failure is thrown.
 */
export async function runPieces({ isLeft, isOpen, work }: Pieces): Promise<void> {
  const failures: unknown[] = [];
  const pieces = new Set<Promise<void>>();
  const start = (): void => {
    const piece: Promise<void> = work()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => pieces.delete(piece));
    pieces.add(piece);
  };
  try {
    for (;;) {
      await condition(() => failures.length > 0 || !isLeft() || isOpen(pieces.size));
      if (failures.length > 0 || !isLeft()) break;
      start();
    }
  } catch (error) {
    failures.push(error);
  }
  await Promise.all(pieces);
  if (failures.length > 0) throw failures[0];
}
