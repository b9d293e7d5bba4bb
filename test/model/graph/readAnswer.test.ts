import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GraphEdge } from '../../../data/graphFile.ts';
import { readAnswer, type Asked } from '../../../model/graph/readAnswer.ts';

const asked: Asked = {
  category: 'wolf',
  candidates: ['animal', 'dog', 'forest', 'Apple', 'apple'],
  relations: ['synonym', 'is-a', 'co-occurrence'],
};
const isA: GraphEdge = { source: 'wolf', target: 'animal', relation: 'is-a', strength: 0.9 };
const near: GraphEdge = { source: 'forest', target: 'wolf', relation: 'co-occurrence', strength: 0.4 };
const whole = JSON.stringify({ edges: [isA, near] });

test.each([
  ['JSON', whole, false],
  ['a fence', `Here it is:\n\`\`\`json\n${whole}\n\`\`\`\nI hope that { helps }.`, true],
  ['words around it', `Sure! ${whole} Let me know.`, true],
  ['a bare list', JSON.stringify([isA, near]), false],
  ['a comma too many', whole.replace(']}', ',]}'), true],
  ['single quotes', whole.replaceAll('"', "'"), true],
  ['names in another case and with spaces', whole.replace('"wolf"', '" WOLF "'), false],
])('an answer as %s', (_, text, repaired) => {
  expect(readAnswer(text, asked)).toEqual({ edges: [isA, near], dropped: {}, repaired });
});

test('an answer that was cut off anywhere after its first edge keeps that edge', () => {
  const first = whole.indexOf('}') + 1;
  fc.assert(
    fc.property(fc.integer({ min: first, max: whole.length - 1 }), (end) => {
      const { edges, repaired } = readAnswer(whole.slice(0, end), asked);
      expect(edges[0]).toEqual(isA);
      expect(repaired).toBe(true);
    }),
  );
});

test.each<[string, object, string]>([
  ['a category that was not asked about', { ...isA, target: 'unicorn' }, 'unknown-category'],
  ['an edge to itself', { ...isA, target: 'wolf' }, 'self-edge'],
  ['an edge between candidates', { ...isA, source: 'dog' }, 'other-pair'],
  ['a relation that was not asked for', { ...near, relation: 'part-whole' }, 'unknown-relation'],
  ['a relation that is none', { ...near, relation: 'likes' }, 'unknown-relation'],
  ['a strength of 0', { ...near, strength: 0 }, 'out-of-range'],
  ['a strength above 1', { ...near, strength: 1.01 }, 'out-of-range'],
  ['a strength in words', { ...near, strength: 'high' }, 'out-of-range'],
  ['no strength', { ...near, strength: undefined }, 'incomplete'],
  ['a name that could be two', { ...near, source: 'APPLE' }, 'unknown-category'],
  ['the same edge again', isA, 'duplicate'],
])('%s is dropped and counted', (_, edge, reason) => {
  const text = JSON.stringify({ edges: [isA, edge] });
  expect(readAnswer(text, asked)).toEqual({ edges: [isA], dropped: { [reason]: 1 }, repaired: false });
});

test('names that differ in case alone are told apart', () => {
  const edges = ['Apple', 'apple'].map((source) => ({ ...near, source }));
  expect(readAnswer(JSON.stringify({ edges }), asked).edges).toEqual(edges);
});

test('no edges at all is an answer', () => {
  expect(readAnswer('{"edges": []}', asked)).toEqual({ edges: [], dropped: {}, repaired: false });
});

test.each([
  ['nothing', ''],
  ['spaces', ' \n'],
  ['prose', 'I cannot see any relation between these.'],
  ['another object', '{"relations": []}'],
  ['edges of another form', '{"edges": [{"from": "wolf", "to": "animal", "kind": "is-a"}]}'],
  ['a number', '42'],
])('%s is malformed', (_, text) => {
  expect(() => readAnswer(text, asked)).toThrow(expect.objectContaining({ code: 'Llm.Malformed' }));
});

test('whatever an answer holds, only edges that were asked for come of it, and the rest is counted', () => {
  const value = fc.oneof(
    fc.constantFrom('wolf', 'animal', 'dog', 'is-a', 'synonym', ''),
    fc.double(),
    fc.constant(null),
  );
  const item = fc.oneof(
    fc.constantFrom(isA, near),
    fc.record({ source: value, target: value, relation: value, strength: value }, { requiredKeys: [] }),
    fc.anything(),
  );
  fc.assert(
    fc.property(fc.array(item), (items) => {
      const text = JSON.stringify({ edges: [...items, isA] });
      const count = (JSON.parse(text) as { edges: unknown[] }).edges.length;
      const { edges, dropped } = readAnswer(text, asked);
      expect(edges.length + Object.values(dropped).reduce((a, b) => a + b, 0)).toBe(count);
      for (const { source, target, relation, strength } of edges) {
        expect([source, target]).toContain('wolf');
        expect(source).not.toBe(target);
        expect(asked.relations).toContain(relation);
        expect(strength > 0 && strength <= 1).toBe(true);
      }
    }),
  );
});
