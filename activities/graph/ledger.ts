import pMap from 'p-map';
import { z } from 'zod';
import { LEDGER, ledgerFolder, ledgerKey } from '../../data/graph/graphLayout.ts';
import type { Tokens } from '../../data/graph/tokens.ts';
import { readJson } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** Entries read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

const entrySchema = z.object({
  input: z.int().nonnegative(),
  output: z.int().nonnegative(),
  /** Whether these are what the request took; else the most that it can have taken. */
  settled: z.boolean(),
});

/** What the requests of a batch have taken, in all attempts at it. */
export interface Ledger {
  readonly spent: Tokens;
  /**
   * Enters the most tokens that a request can take before it is sent, and returns what corrects that once it is known:
   * a request whose worker dies stays entered.
   */
  reserve(request: string, most: Tokens): Promise<(taken: Tokens) => Promise<void>>;
}

/** The ledger of a batch, with what earlier attempts have entered. */
export async function openLedger(output: ObjectStore, batch: string): Promise<Ledger> {
  const spent = await spentBelow(output, ledgerFolder(batch));
  const change = (tokens: Tokens, sign: 1 | -1): void => {
    spent.input += sign * tokens.input;
    spent.output += sign * tokens.output;
  };
  return {
    spent,
    async reserve(request, most) {
      const key = ledgerKey(batch, request);
      const enter = (tokens: Tokens, settled: boolean) =>
        output.put(key, JSON.stringify({ ...tokens, settled }), { contentType: 'application/json' });
      await enter(most, false);
      change(most, 1);
      return async (taken) => {
        await enter(taken, true);
        change(most, -1);
        change(taken, 1);
      };
    },
  };
}

/** What all requests of a run have taken. */
export const spentOf = (output: ObjectStore): Promise<Tokens> => spentBelow(output, LEDGER);

async function spentBelow(output: ObjectStore, prefix: string): Promise<Tokens> {
  const keys: string[] = [];
  for await (const { key } of output.list({ prefix })) keys.push(key);
  const entries = await pMap(keys, async (key) => entrySchema.parse(await readJson(output, key)), {
    concurrency: CONCURRENCY,
  });
  const sum = (side: 'input' | 'output'): number => entries.reduce((total, entry) => total + entry[side], 0);
  return { input: sum('input'), output: sum('output') };
}
