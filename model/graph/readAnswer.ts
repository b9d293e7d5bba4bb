import { jsonrepair } from 'jsonrepair';
import { Failure } from '../../data/failure.ts';
import type { EdgeRelation, GraphEdge } from '../../data/graphFile.ts';

/** Why an edge of an answer is left out. */
export const DROP_REASONS = [
  'incomplete',
  'unknown-category',
  'self-edge',
  'other-pair',
  'unknown-relation',
  'out-of-range',
  'duplicate',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface ReadAnswer {
  /** In the order of the answer, with names as they were asked. */
  edges: GraphEdge[];
  dropped: Partial<Record<DropReason, number>>;
  /** Whether the text was not quite JSON: fenced, with words around it, or cut off. */
  repaired: boolean;
}

/** What an answer is about. */
export interface Asked {
  category: string;
  candidates: readonly string[];
  relations: readonly EdgeRelation[];
}

/**
 * Reads an endpoint's answer. Edges that cannot be used are left out and counted: fields that are missing
 * (`incomplete`), names that were not asked about, an edge from a category to itself, one between two candidates
 * (`other-pair`), a relation that was not asked for, a strength that is not in (0, 1], an edge that repeats. Names are
 * found whatever their case.
 *
 * @throws Failure `Llm.Malformed` where there is no list of edges, or none of them has the form of one.
 */
export function readAnswer(text: string, asked: Asked): ReadAnswer {
  const { value, repaired } = parse(text);
  const items = listOf(value);
  if (items === undefined) throw malformed('it has no list "edges".', text);
  const nameOf = finder([asked.category, ...asked.candidates]);
  const edges = new Map<string, GraphEdge>();
  const dropped: ReadAnswer['dropped'] = {};
  for (const item of items) {
    const edge = readEdge(item, nameOf, asked);
    const key = typeof edge === 'string' ? '' : JSON.stringify([edge.source, edge.target, edge.relation]);
    const reason = typeof edge === 'string' ? edge : edges.has(key) ? 'duplicate' : undefined;
    if (reason === undefined) edges.set(key, edge as GraphEdge);
    else dropped[reason] = (dropped[reason] ?? 0) + 1;
  }
  if (items.length > 0 && dropped.incomplete === items.length)
    throw malformed('none of its edges has source, target, relation and strength.', text);
  return { edges: [...edges.values()], dropped, repaired };
}

function readEdge(
  item: unknown,
  nameOf: (written: string) => string | undefined,
  asked: Asked,
): GraphEdge | DropReason {
  const fields = (typeof item === 'object' ? item : null) as Record<string, unknown> | null;
  const [from, to, relation] = [fields?.['source'], fields?.['target'], fields?.['relation']];
  const strength = fields?.['strength'];
  if (typeof from !== 'string' || typeof to !== 'string' || typeof relation !== 'string') return 'incomplete';
  if (strength === undefined || strength === null) return 'incomplete';
  const [source, target] = [nameOf(from), nameOf(to)];
  if (source === undefined || target === undefined) return 'unknown-category';
  if (source === target) return 'self-edge';
  if (source !== asked.category && target !== asked.category) return 'other-pair';
  const known = asked.relations.find((name) => name === relation.trim());
  if (known === undefined) return 'unknown-relation';
  if (typeof strength !== 'number' || !(strength > 0 && strength <= 1)) return 'out-of-range';
  return { source, target, relation: known, strength };
}

/** The value of a text that should be JSON, mended where it has to be. */
function parse(text: string): { value: unknown; repaired: boolean } {
  if (text.trim() === '') throw malformed('it is empty.', text);
  try {
    return { value: JSON.parse(text), repaired: false };
  } catch {
    const start = text.search(/[[{]/);
    if (start === -1) throw malformed('it holds no JSON.', text);
    const fenced = /```(?:json)?\s*\n([\s\S]*?)(?:```|$)/.exec(text)?.[1];
    for (const part of [fenced, text.slice(start, closing(text, start)), text.slice(start)]) {
      if (part === undefined) continue;
      try {
        return { value: JSON.parse(jsonrepair(part)), repaired: true };
      } catch {
        // the next part may do
      }
    }
    throw malformed('it is not JSON.', text);
  }
}

/** The end of the object or list that begins at `start`; undefined where the text ends before it. */
function closing(text: string, start: number): number | undefined {
  let depth = 0;
  let quoted = false;
  for (let i = start; i < text.length; i++) {
    const letter = text[i]!;
    if (quoted && letter === '\\') i++;
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && (letter === '{' || letter === '[')) depth++;
    else if (!quoted && (letter === '}' || letter === ']') && --depth === 0) return i + 1;
  }
  return undefined;
}

function listOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  const edges = (value as { edges?: unknown } | null | undefined)?.edges;
  return Array.isArray(edges) ? edges : undefined;
}

/** Finds a name as it is written, else the only one that differs from that in case alone. */
function finder(names: readonly string[]): (written: string) => string | undefined {
  const fold = (name: string): string => name.normalize('NFC').trim().toLowerCase();
  const exact = new Set(names);
  const folded = Map.groupBy(names, fold);
  return (written) => {
    const name = written.normalize('NFC').trim();
    const alike = folded.get(fold(name)) ?? [];
    return exact.has(name) ? name : alike.length === 1 ? alike[0] : undefined;
  };
}

function malformed(why: string, text: string): Failure {
  return new Failure('Llm.Malformed', `The answer cannot be read: ${why} It begins: ${text.slice(0, 200)}`);
}
