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
