/** What an endpoint is asked about a category, and the form of its answer. */
import { z } from 'zod';
import type { EdgeRelation } from '../../data/graphFile.ts';
import type { NamedCategory } from './wordSenses.ts';

/** Changes whenever the words below do: answers to other words are other answers. */
export const PROMPT_VERSION = 1;

export interface Message {
  role: 'system' | 'user';
  content: string;
}

const MEANINGS: Readonly<Record<EdgeRelation, string>> = {
  synonym: 'two names for the same thing; list it in both directions',
  'is-a': 'the source is a kind of the target (wolf -> animal); only from the special to the general',
  functional: 'one is used with, on or for the other (saddle -> horse)',
  'co-occurrence': 'both are often seen in one photograph (surfboard -> beach)',
  'part-whole': 'the source is a part or member of the target (wheel -> car)',
};

/** The form of an answer, as a JSON schema of the kind that endpoints enforce. */
export function answerSchema(relations: readonly EdgeRelation[]): Record<string, unknown> {
  const edge = z.strictObject({
    source: z.string().describe('the category whose presence is evidence'),
    target: z.string().describe('the category that it is evidence for'),
    relation: z.enum(relations as [EdgeRelation, ...EdgeRelation[]]),
    strength: z.number().describe('above 0 and at most 1'),
  });
  // Endpoints know schemas by what they hold, and some refuse the mark of their version.
  const { $schema: _, ...schema } = z.toJSONSchema(z.strictObject({ edges: z.array(edge) }));
  return schema;
}

/** The question about a category and its candidates. */
export function questionOf(
  category: NamedCategory,
  candidates: readonly NamedCategory[],
  relations: readonly EdgeRelation[],
): Message[] {
  const kinds = relations.map((relation) => `- "${relation}": ${MEANINGS[relation]}`).join('\n');
  return [
    {
      role: 'system',
      content: `You relate categories of things that photographs show. An edge from a source to a target says: who sees the source in a photograph has reason to expect that the target is a right label for it too. Its strength, above 0 and at most 1, is how good a reason.

Relations:
${kinds}

Rules:
- Every edge has the asked category at one end and one of the candidates at the other, in either direction.
- Copy names exactly as they are given.
- List only what holds in general; most candidates have no edge. At most one edge per direction and candidate: the relation that fits best.
- Answer with JSON alone: {"edges": [{"source": "...", "target": "...", "relation": "...", "strength": 0.8}]}`,
    },
    {
      role: 'user',
      content: `Category: ${described(category)}\nCandidates:\n${candidates.map((candidate) => `- ${described(candidate)}`).join('\n')}`,
    },
  ];
}

/** The longest part of a reason that a second question repeats, so that its size has a bound. */
const MAX_REASON = 200;

/** The question once more, after an answer that could not be read. */
export const questionAgain = (question: readonly Message[], reason: string): Message[] => [
  ...question,
  {
    role: 'user',
    content: `An earlier answer could not be read: ${reason.slice(0, MAX_REASON)} Answer with the JSON object alone.`,
  },
];

/**
 * The most tokens that a question can be, its second form included: no tokenizer makes more of a text than its bytes,
 * and around each message some endpoints add a few.
 */
export function mostTokens(question: readonly Message[], schema: Record<string, unknown>): number {
  const again = questionAgain(question, 'x'.repeat(MAX_REASON));
  const texts = [...again.map(({ content }) => content), JSON.stringify(schema)];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + TOKENS_AROUND, 0);
}

const TOKENS_AROUND = 16;

/** A name is data: quoted, so that one with a line end or an instruction in it stays a name. */
const described = ({ name, aliases = [] }: NamedCategory): string =>
  JSON.stringify(name) +
  (aliases.length > 0 ? ` (also ${aliases.map((alias) => JSON.stringify(alias)).join(', ')})` : '');
