import { randomUUID } from 'node:crypto';
import type { Asked } from '../../../workflows/control/requests.ts';

/** A request as a command makes it. */
export const asked = <Change extends object>(change?: Change): Asked & Change => ({
  id: randomUUID(),
  by: 'someone',
  ...change!,
});
