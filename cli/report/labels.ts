import type { Tag } from '../../data/parquet/tagRows.ts';
import type { Report } from './report.ts';

/** What a label is known by: two vocabularies may have one of the same name. */
export type Label = Pick<Tag, 'vocabulary' | 'label'>;

/** A text that only this label has, within a run. */
export const labelKey = ({ vocabulary, label }: Label): string => `${vocabulary ?? ''}\0${label}`;

/** By name, and of the same name by vocabulary. */
export const compareLabels = (a: Label, b: Label): number =>
  a.label.localeCompare(b.label) || (a.vocabulary ?? '').localeCompare(b.vocabulary ?? '');

/** The names that a page says, and of which vocabulary each is: everything else says them by their indices here. */
export class PageNames {
  private readonly names: string[] = [];
  private readonly vocabularies: (string | null)[] = [];
  private readonly indices = new Map<string, number>();

  /** @param vocabularies their names, one vocabulary's after another's */
  constructor(vocabularies: readonly { name: string | null; nodes: readonly string[] }[]) {
    for (const { name, nodes } of vocabularies)
      for (const node of nodes) this.add({ vocabulary: name, label: node });
  }

  /** A label's index; one that is in none of the vocabularies is added. */
  indexOf(label: Label): number {
    return this.indices.get(labelKey(label)) ?? this.add(label);
  }

  /** As reports have them: vocabularies are told only where there are several. */
  forReport(): Pick<Report, 'names' | 'vocabularies'> {
    const { names, vocabularies } = this;
    return { names, ...(new Set(vocabularies).size > 1 && { vocabularies }) };
  }

  private add({ vocabulary, label }: Label): number {
    const index = this.names.length;
    this.names.push(label);
    this.vocabularies.push(vocabulary);
    this.indices.set(labelKey({ vocabulary, label }), index);
    return index;
  }
}
