import { Failure } from '../failure.ts';
import type { RowName } from '../run/rowNames.ts';
import { compareUtf8 } from '../utf8Order.ts';

const compare = (a: RowName, b: RowName): number =>
  compareUtf8(a.source, b.source) || compareUtf8(a.key, b.key);

/**
 * Merges streams in UTF-8 byte order of source and key, the oldest stream first, into one: of items with the same name
 * only the newest stream's. Holds one item per stream.
 *
 * @throws Failure `Run.Unordered` where a stream is not in that order, which would make the merge wrong.
 */
export async function* mergeNewest<Item extends RowName>(
  streams: readonly AsyncIterable<Item>[],
): AsyncGenerator<Item, void, undefined> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]() as AsyncIterator<Item, void>);
  const heads: (Item | undefined)[] = [];
  const advance = async (at: number): Promise<void> => {
    const before = heads[at];
    const next = await iterators[at]!.next();
    const value = next.done ? undefined : next.value;
    heads[at] = value;
    if (value && before && compare(value, before) <= 0)
      throw new Failure(
        'Run.Unordered',
        `A run has ${JSON.stringify(value.key)} after ${JSON.stringify(before.key)}, out of the order of its plan.`,
        { subject: value.key },
      );
  };
  try {
    for (const at of iterators.keys()) await advance(at);
    for (;;) {
      let first: Item | undefined;
      for (const head of heads) if (head && (!first || compare(head, first) < 0)) first = head;
      if (!first) return;
      const { source, key } = first;
      const of = heads.flatMap((head, at) => (head?.key === key && head.source === source ? [at] : []));
      yield heads[of.at(-1)!]!;
      for (const at of of) await advance(at);
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}
