/** What happens to a run, as `tail` prints it. Times are those of the server. */
export type RunEvent = { at: string } & (
  | { event: 'started' }
  | { event: 'stage'; stage: string }
  /** A person has asked for it; a pause may begin later. */
  | { event: 'asked'; what: 'pause' | 'resume' | 'cancel'; by: string }
  | { event: 'set'; by: string; concurrency?: number; maxFailureRate?: number }
  | { event: 'paused'; reason: string }
  | { event: 'resumed' }
  /** Numbers of the first and the last of these shards; images in all, done and planned, where they are known. */
  | {
      event: 'shards';
      shards: number;
      first: number;
      last: number;
      images: number;
      failed: number;
      done: number;
      planned: number | null;
    }
  | { event: 'failure'; key: string; source: string; code: string; message: string }
  | { event: 'features'; images: number; failed: number }
  | { event: 'scored'; images: number; failed: number }
  | { event: 'answers'; spent: { input: number; output: number } }
  | { event: 'round'; round: number; loss: number }
  | { event: 'validation'; round: number; score: number }
  | { event: 'stage ended'; stage: string; state: string; summary: string }
  /** The run that does a stage of this one. */
  | { event: 'child'; run: string }
  /** Work that succeeded, or was given up, after so many attempts. */
  | { event: 'retried'; activity: string; attempts: number; code: string; message: string }
  | { event: 'finished'; result: unknown }
  | { event: 'failed'; code: string; message: string }
  | { event: 'cancelled' | 'terminated' | 'timed out' }
);

/** Whether nothing comes after it. */
export const isEnd = ({ event }: RunEvent): boolean =>
  ['finished', 'failed', 'cancelled', 'terminated', 'timed out'].includes(event);

/** A line about an event. */
export function eventText(happened: RunEvent): string {
  return `${happened.at.slice(0, 19)}Z  ${wordsOf(happened)}`;
}

function wordsOf(happened: RunEvent): string {
  switch (happened.event) {
    case 'stage':
      return `stage ${happened.stage}`;
    case 'asked':
      return `${happened.by} asked to ${happened.what}`;
    case 'set': {
      const { by, concurrency, maxFailureRate } = happened;
      const set = Object.entries({ concurrency, maxFailureRate }).filter(([, value]) => value !== undefined);
      return `${by} set ${set.map(([name, value]) => `${name} ${value}`).join(', ')}`;
    }
    case 'paused':
      return `paused: ${happened.reason}`;
    case 'shards': {
      const { shards, first, last, images, failed, done, planned } = happened;
      const which = shards === 1 ? `shard ${first}` : `${shards} shards (${first} - ${last})`;
      const of = planned === null ? '' : ` of ${planned}`;
      return `${which}: ${images} images, ${failed} failed; ${done}${of} done`;
    }
    case 'failure':
      return `failure ${happened.code} ${JSON.stringify(happened.key)}: ${happened.message}`;
    case 'features':
    case 'scored':
      return `${happened.event === 'scored' ? 'scored' : 'features of'} ${happened.images} images, ${happened.failed} failed`;
    case 'answers':
      return `answers for ${happened.spent.input + happened.spent.output} tokens`;
    case 'round':
      return `round ${happened.round}: loss ${happened.loss.toFixed(4)}`;
    case 'validation':
      return `validation of round ${happened.round}: ${happened.score.toFixed(2)}`;
    case 'stage ended':
      return `stage ${happened.stage} ${happened.state}: ${happened.summary}`;
    case 'child':
      return `at work: ${happened.run}`;
    case 'retried':
      return `${happened.activity} took ${happened.attempts} attempts, before the last: ${happened.code}: ${happened.message}`;
    case 'finished':
      return `finished: ${resultText(happened.result)}`;
    case 'failed':
      return `failed: ${happened.message} [${happened.code}]`;
    case 'started':
    case 'resumed':
    case 'cancelled':
    case 'terminated':
    case 'timed out':
      return happened.event;
  }
}

/** The figures of a result, without what is no single one. */
const resultText = (result: unknown): string =>
  Object.entries(result ?? {})
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
