import { createHash } from 'node:crypto';
import { z } from 'zod';
import { readCsvTable } from './csvTable.ts';
import { Failure, messageOf } from './failure.ts';
import { decodeUtf8 } from './utf8Decode.ts';
import { compareUtf8 } from './utf8Order.ts';

/** Relations of the head's edge features, in the order of their indices. `self` loops are implied, never listed. */
export const RELATIONS = ['self', 'synonym', 'is-a', 'functional', 'co-occurrence', 'part-whole'] as const;

export type Relation = (typeof RELATIONS)[number];

/** Relations that an edge may have. */
export const EDGE_RELATIONS = ['synonym', 'is-a', 'functional', 'co-occurrence', 'part-whole'] as const;
export type EdgeRelation = (typeof EDGE_RELATIONS)[number];

/** A directed edge: evidence for `source` informs `target`. */
export interface GraphEdge {
  source: string;
  target: string;
  relation: EdgeRelation;
  /** In (0, 1]. */
  strength: number;
}

/** A category graph; a category without edges need not be mentioned. */
export interface CategoryGraph {
  edges: readonly GraphEdge[];
}

const RelationName = z.enum(EDGE_RELATIONS);

const Name = z
  .string()
  .transform((name) => name.normalize('NFC').trim())
  .refine((name) => name !== '', 'is empty');

const Edge = z
  .object({
    source: Name,
    target: Name,
    relation: RelationName,
    strength: z.number().gt(0).max(1),
  })
  .refine(({ source, target }) => source !== target, {
    message: 'is a self loop; self loops are implied, leave them out',
  });

const GraphJson = z.object({
  /** Where they are listed, edges name no other. */
  categories: z.array(Name).optional(),
  /** Informative: the relations that may occur. */
  relations: z.array(z.enum(RELATIONS)).optional(),
  edges: z.array(Edge),
});

/**
 * Reads a category graph file: JSON `{ categories?, relations?, edges: [{ source, target, relation, strength }] }`, or,
 * where the name ends in `.csv`, a table with the columns `source,target,relation,strength`. Names are brought to NFC
 * and trimmed.
 *
 * @param source the file's bytes, or its text.
 * @param fileName for its ending and for messages.
 * @throws Failure `Graph.Invalid`, naming the edge (from 0, as in JSON; in CSV, the line) and what is wrong with it: an
 *   unknown relation, a strength outside (0, 1], a self loop, an edge listed twice, a category that is not listed.
 */
export function parseGraph(source: string | Uint8Array, fileName: string): CategoryGraph {
  const fail = (reason: string, cause?: unknown): Failure => invalid(fileName, reason, cause);
  const text = decode(source, fail);
  return /\.csv$/i.test(fileName) ? readCsv(text, fail) : readJson(text, fail);
}

/** SHA-256, in hex, of the edges in a canonical order: files that list the same edges differently share it. */
export function graphHash(graph: CategoryGraph): string {
  const canonical = [...graph.edges]
    .sort(
      (a, b) =>
        compareUtf8(a.target, b.target) ||
        compareUtf8(a.source, b.source) ||
        RELATIONS.indexOf(a.relation) - RELATIONS.indexOf(b.relation),
    )
    .map(({ source, target, relation, strength }) => [source, target, relation, strength]);
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

type Fail = (reason: string, cause?: unknown) => Failure;

function decode(source: string | Uint8Array, fail: Fail): string {
  if (typeof source === 'string') return source.replace(/^\ufeff/, '');
  const decoded = decodeUtf8(source);
  if (decoded.badLine !== undefined) throw fail(`line ${decoded.badLine} is not valid UTF-8`);
  return decoded.text;
}

function readJson(text: string, fail: Fail): CategoryGraph {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail(`not valid JSON: ${messageOf(error)}`, error);
  }
  const { success, data, error } = GraphJson.safeParse(value);
  if (!success) throw fail(describe(error.issues[0]!));
  refuseRepeats(data.edges, (i) => `edges[${i}]`, fail);
  if (data.categories !== undefined) {
    const listed = new Set(data.categories);
    for (const [i, edge] of data.edges.entries())
      for (const end of ['source', 'target'] as const)
        if (!listed.has(edge[end]))
          throw fail(`edges[${i}].${end}: "${edge[end]}" is not among the file's categories`);
  }
  return { edges: data.edges };
}

function readCsv(text: string, fail: Fail): CategoryGraph {
  const { rows } = readCsvTable(text, ['source', 'target', 'relation', 'strength'], fail);
  const edges = rows.map(({ line, cells }) => {
    const written = (cells.get('strength') ?? '').trim();
    const { success, data, error } = Edge.safeParse({
      source: cells.get('source') ?? '',
      target: cells.get('target') ?? '',
      relation: (cells.get('relation') ?? '').trim(),
      strength: written === '' ? undefined : Number(written),
    });
    if (!success) throw fail(`line ${line}: ${describe(error.issues[0]!)}`);
    return data;
  });
  refuseRepeats(edges, (i) => `line ${rows[i]!.line}`, fail);
  return { edges };
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.reduce<string>(
    (at, part) =>
      typeof part === 'number' ? `${at}[${part}]` : at === '' ? String(part) : `${at}.${String(part)}`,
    '',
  );
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

function refuseRepeats(edges: readonly GraphEdge[], place: (index: number) => string, fail: Fail): void {
  const seen = new Map<string, number>();
  for (const [i, { source, target, relation }] of edges.entries()) {
    const identity = JSON.stringify([source, target, relation]);
    const before = seen.get(identity);
    if (before !== undefined)
      throw fail(`${place(i)} repeats ${place(before)}: "${source}" -> "${target}" (${relation})`);
    seen.set(identity, i);
  }
}

function invalid(fileName: string, reason: string, cause?: unknown): Failure {
  return new Failure('Graph.Invalid', `${fileName}: ${reason}.`, { subject: fileName, cause });
}
