/**
 * What differs between two specifications of a run, a line each: `field: existing -> asked`. Fields of objects are
 * compared one by one, as `settings.epochs: 3 -> 5`, and so are the objects of two lists of one length, as
 * `vocabularies.0.topK`; other lists are values. A field that one side lacks is `none` there.
 */
export function specDifferences(existing: object, asked: object, within = ''): string[] {
  const [before, after] = [existing, asked] as Record<string, unknown>[] as [Fields, Fields];
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields.flatMap((field) => {
    const [a, b] = [before[field], after[field]];
    const lists = areAllFields(a) && areAllFields(b) && a.length === b.length;
    if (lists || (isFields(a) && isFields(b))) return specDifferences(a, b, `${within}${field}.`);
    return show(a) === show(b) ? [] : [`${within}${field}: ${show(a)} -> ${show(b)}`];
  });
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const areAllFields = (list: unknown): list is Fields[] => Array.isArray(list) && list.every(isFields);

const show = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));
