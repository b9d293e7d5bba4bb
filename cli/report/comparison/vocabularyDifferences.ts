import type { RunVocabulary } from '../../../data/run/vocabularies.ts';

/** A vocabulary that is not the same in two runs. */
export interface VocabularyDifference {
  /** Null where it has none. */
  name: string | null;
  /** What of it differs; that it is in one of the runs alone. */
  differs: ('only now' | 'only before' | 'categories' | 'graph' | 'limits')[];
}

/** Vocabularies that one of two runs lacks, by their names, or asks otherwise. */
export function vocabularyDifferences(
  now: readonly RunVocabulary[],
  before: readonly RunVocabulary[],
): VocabularyDifference[] {
  const earlier = new Map(before.map((vocabulary) => [vocabulary.name, vocabulary]));
  const current = new Map(now.map((vocabulary) => [vocabulary.name, vocabulary]));
  return [...new Set([...current.keys(), ...earlier.keys()])].flatMap((name) => {
    const differs = differencesOf(current.get(name), earlier.get(name));
    return differs.length === 0 ? [] : [{ name, differs }];
  });
}

function differencesOf(
  now: RunVocabulary | undefined,
  before: RunVocabulary | undefined,
): VocabularyDifference['differs'] {
  if (!now) return ['only before'];
  if (!before) return ['only now'];
  const differs: VocabularyDifference['differs'] = [];
  if (now.categories !== before.categories) differs.push('categories');
  if (now.graph !== before.graph) differs.push('graph');
  if (now.topK !== before.topK || now.threshold !== before.threshold) differs.push('limits');
  return differs;
}
