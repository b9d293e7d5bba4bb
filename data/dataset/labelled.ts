import type { Category } from '../categories.ts';
import { Failure } from '../failure.ts';
import type { ManifestRow } from './manifestRow.ts';
import { nearNames } from './nearNames.ts';

/** A row of a manifest with categories by their indices, ascending. */
export interface IndexedRow {
  place: string;
  uri: string;
  /** null: the row does not say. */
  etag: string | null;
  present: number[];
  /** null: the row does not say. */
  absent: number[] | null;
  captions: string[];
  mentions: string[];
}

/**
 * What turns names of categories into indices.
 *
 * @param file the manifest, for messages
 * @returns throws Failure `Dataset.UnknownCategory`, `Dataset.Conflict` (present and absent), naming the place
 */
export function labelIndexer(
  categories: readonly Category[],
  file: string,
): (row: ManifestRow) => IndexedRow {
  const indices = new Map(categories.map(({ name }, index) => [name, index]));
  const indicesOf = (names: readonly string[], place: string): number[] =>
    names
      .map((name) => {
        const index = indices.get(name);
        if (index === undefined) throw unknownCategory(name, `${file}: ${place}`, categories);
        return index;
      })
      .sort((a, b) => a - b);
  return ({ place, uri, etag, labels, absent, captions, mentions }) => {
    const row = {
      place,
      uri,
      etag,
      present: indicesOf(labels, place),
      absent: absent && indicesOf(absent, place),
      captions,
      mentions,
    };
    const both = row.absent?.find((index) => row.present.includes(index));
    if (both !== undefined)
      throw new Failure(
        'Dataset.Conflict',
        `${file}: ${place}: "${categories[both]!.name}" is among both the labels and the absent.`,
        { subject: uri },
      );
    return row;
  };
}

function unknownCategory(name: string, where: string, categories: readonly Category[]): Failure {
  const alias = categories.find(({ aliases }) => aliases.includes(name))?.name;
  const near = nearNames(
    name,
    categories.map((category) => category.name),
  );
  const add = 'add it to the categories file, with split "unseen" where it is not to be trained on';
  return new Failure('Dataset.UnknownCategory', `${where}: "${name}" is not among the categories.`, {
    subject: name,
    hint:
      alias !== undefined
        ? `It is an alias of "${alias}": write that.`
        : near.length > 0
          ? `Did you mean ${near.map((one) => `"${one}"`).join(' or ')}? Otherwise ${add}.`
          : `Correct it, or ${add}.`,
  });
}
