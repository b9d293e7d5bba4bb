import { compareUtf8 } from '../../utf8Order.ts';

/** Whether an object or folder at a canonical URI is the one at another, or lies below it. */
export const liesWithin = (uri: string, outer: string): boolean =>
  uri === outer || uri.startsWith(outer.endsWith('/') ? outer : `${outer}/`);

/** Of canonical URIs two of which one lies within the other, or that are the same; undefined where there are none. */
export function nestedSources(uris: readonly string[]): [outer: string, inner: string] | undefined {
  const sorted = uris.toSorted(compareUtf8);
  for (const [i, outer] of sorted.entries()) {
    const inner = sorted.slice(i + 1).find((uri) => liesWithin(uri, outer));
    if (inner !== undefined) return [outer, inner];
  }
  return undefined;
}
