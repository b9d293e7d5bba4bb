import type { Category, Split } from '../../categories.ts';
import { Failure } from '../../failure.ts';
import { nearNames } from '../nearNames.ts';

/** A kind of label of a data set. */
export interface LabelKind {
  /** As the data set's label files name it. */
  id: string;
  /** For people and for the text encoder. */
  name: string;
  /** What it is where nobody says otherwise. */
  split?: Split;
}

/** A list of categories that someone made. */
export interface NameList {
  /** For messages. */
  file: string;
  /** Names or ids, with the numbers of their lines. */
  names: { line: number; name: string }[];
}

/** Which categories are seen and which are not; null where there is no such list. */
export interface SplitLists {
  seen: NameList | null;
  unseen: NameList | null;
}

export interface ChosenCategories {
  categories: Category[];
  /** From the id of a kind of label to the index of its category; an id that was not chosen leads to null. */
  indexOf: ReadonlyMap<string, number | null>;
}

/**
 * The categories of a data set, in its order. Kinds of one name become one category, as they would be one to a text
 * encoder. With a list of seen ones only what the lists name is chosen; with one of unseen ones alone the rest is seen;
 * without lists all are chosen, with the data set's own split.
 *
 * @param file of the kinds, for messages
 * @throws Failure `Dataset.UnknownCategory` for a name that is none of the data set's, `Dataset.Conflict` for one in both
 *   lists, both naming the list's line; `Dataset.Empty` where nothing is chosen
 */
export function chooseCategories(
  kinds: readonly LabelKind[],
  file: string,
  { seen, unseen }: SplitLists,
): ChosenCategories {
  const named = kinds.map(({ id, name, split }) => ({ id, split, name: cleanName(name) }));
  const known = new Map<string, string[]>();
  for (const { id, name } of named)
    for (const key of new Set([id, name])) known.set(key, [...(known.get(key) ?? []), name]);
  const split = new Map<string, { split: Split; place: string }>();
  for (const [list, side] of [
    [seen, 'seen'],
    [unseen, 'unseen'],
  ] as const)
    for (const { line, name: written } of list?.names ?? []) {
      const place = `${list!.file}, line ${line}`;
      const names = known.get(written) ?? known.get(cleanName(written));
      if (names === undefined) throw unknown(written, place, file, known);
      for (const name of names) {
        const before = split.get(name);
        if (before !== undefined && before.split !== side)
          throw new Failure(
            'Dataset.Conflict',
            `${place}: "${name}" is ${before.split} by ${before.place}.`,
            {
              subject: name,
              hint: 'A category is seen or unseen: remove it from one of the lists.',
            },
          );
        split.set(name, { split: side, place });
      }
    }
  const hasLists = seen !== null || unseen !== null;
  const categories: Category[] = [];
  const indices = new Map<string, number>();
  const indexOf = new Map<string, number | null>();
  for (const { id, name, split: own } of named) {
    const chosen = hasLists ? (split.get(name)?.split ?? (seen === null ? 'seen' : null)) : own;
    if (chosen === null) {
      indexOf.set(id, null);
      continue;
    }
    let index = indices.get(name);
    if (index === undefined) {
      indices.set(name, (index = categories.length));
      categories.push({ name, aliases: [], prompts: [], ...(chosen !== undefined && { split: chosen }) });
    }
    indexOf.set(id, index);
  }
  if (categories.length > 0) return { categories, indexOf };
  throw new Failure('Dataset.Empty', `${file} names no category that is asked for.`, { subject: file });
}

const cleanName = (name: string): string => name.normalize('NFC').trim();

function unknown(written: string, place: string, file: string, known: ReadonlyMap<string, unknown>): Failure {
  const near = nearNames(written, known.keys());
  return new Failure('Dataset.UnknownCategory', `${place}: "${written}" is not in ${file}.`, {
    subject: written,
    ...(near.length > 0 && { hint: `Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?` }),
  });
}
