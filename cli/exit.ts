import { isFailure, messageOf } from '../data/failure.ts';

/** Exit codes, as documented in the README. */
export const EXIT = {
  /** Every image was tagged; or the command did what it says. */
  ok: 0,
  /** The run failed or is paused. */
  failed: 1,
  /** Wrong usage, or something that the environment lacks. */
  usage: 2,
  /** The run finished, with failure rows. */
  withFailures: 3,
  /** Ctrl-C: the run goes on remotely, or can be continued. */
  interrupted: 130,
} as const;

/** Domains of failures that are the command line's or the environment's, not the run's. */
const USAGE_DOMAINS = [
  'Setup.',
  'Config.',
  'Usage.',
  'Categories.',
  'Dataset.',
  'KeyList.',
  'Inventory.',
  'Graph.',
  'Model.',
  'Hub.',
  'Safetensors.',
  'Store.',
  'Run.',
  'Schedule.',
  'Device.',
  'World.',
  'Report.',
];

/** The exit code for something that a command threw. */
export function exitCodeOf(error: unknown): number {
  return isFailure(error) && USAGE_DOMAINS.some((domain) => isFailure(error, domain))
    ? EXIT.usage
    : EXIT.failed;
}

/** What a user is told of an error: what, which, and what to do. */
export function describeError(error: unknown): string {
  if (!isFailure(error)) return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  return `${error.message}${error.hint === undefined ? '' : `\n${error.hint}`} [${error.code}]`;
}
