import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RELATIONS, graphHash, parseGraph, type GraphEdge } from '../../data/graphFile.ts';
import { subgraph } from '../../data/subgraph.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';

const golden = (folder: string): Buffer =>
  readFileSync(new URL(`../golden/${folder}/graph.json`, import.meta.url));

const edge = (source: string, target: string, more: Partial<GraphEdge> = {}): GraphEdge => ({
  source,
  target,
  relation: 'is-a',
  strength: 0.5,
  ...more,
});

const json = (...edges: object[]): string => JSON.stringify({ edges });

const invalid = (message: RegExp): Error =>
  expect.objectContaining({
    code: 'Graph.Invalid',
    message: expect.stringMatching(message) as string,
  }) as Error;

describe('parseGraph', () => {
  it.each(['tiny', 'hub'])('reads the golden graph of %s', (folder) => {
    const file = JSON.parse(golden(folder).toString()) as { relations: string[]; edges: GraphEdge[] };
    expect(parseGraph(golden(folder), 'graph.json').edges).toEqual(file.edges);
    expect(file.relations).toEqual(RELATIONS);
  });

  it('reads a table, with a byte order mark and CRLF', () => {
    const text =
      '\ufeffsource,target,relation,strength\r\ndog, animal ,is-a,1\r\n"cafe\u0301",bar,co-occurrence,.25\r\n';
    expect(parseGraph(Buffer.from(text), 'graph.csv').edges).toEqual([
      edge('dog', 'animal', { strength: 1 }),
      edge('caf\u00e9', 'bar', { relation: 'co-occurrence', strength: 0.25 }),
    ]);
  });

  it('takes two relations between one pair, and both directions', () => {
    const edges = [edge('a', 'b'), edge('a', 'b', { relation: 'synonym' }), edge('b', 'a')];
    expect(parseGraph(json(...edges), 'g.json').edges).toEqual(edges);
  });

  it.each([
    [[edge('a', 'b', { strength: 0 })], /g\.json: edges\[0\]\.strength: /],
    [[edge('a', 'b'), edge('a', 'c', { strength: 1.01 })], /edges\[1\]\.strength: /],
    [[{ ...edge('a', 'b'), strength: '1' }], /edges\[0\]\.strength: /],
    [[{ ...edge('a', 'b'), relation: 'self' }], /edges\[0\]\.relation: .*synonym/],
    [[{ ...edge('a', 'b'), relation: 'likes' }], /edges\[0\]\.relation: /],
    [[edge('a', ' a')], /edges\[0\]: is a self loop/],
    [[edge('', 'a')], /edges\[0\]\.source: is empty/],
    [[{ source: 'a', relation: 'is-a', strength: 1 }], /edges\[0\]\.target: /],
    [
      [edge('a', 'b'), edge('c', 'b'), edge('a', 'b', { strength: 1 })],
      /edges\[2\] repeats edges\[0\]: "a" -> "b"/,
    ],
  ])('refuses %j', (edges, message) => {
    expect(() => parseGraph(json(...edges), 'g.json')).toThrow(invalid(message));
  });

  it.each([
    ['{"edges": 1}', /edges: /],
    ['[]', /./],
    ['{', /not valid JSON/],
    [JSON.stringify({ categories: ['a'], edges: [edge('a', 'b')] }), /edges\[0\]\.target: "b" is not among/],
    [JSON.stringify({ relations: ['likes'], edges: [] }), /relations\[0\]/],
  ])('refuses the file %s', (text, message) => {
    expect(() => parseGraph(text, 'g.json')).toThrow(invalid(message));
  });

  it.each([
    ['source,target,relation\na,b,is-a\n', /column "strength"/],
    ['source,target,relation,strength\na,b,is-a,\n', /line 2: strength/],
    ['source,target,relation,strength\na,b,is-a,x\n', /line 2: strength/],
    ['source,target,relation,strength\na,b,is-a,1\n\na,b,is-a,1\n', /line 4 repeats line 2/],
  ])('refuses the table %j', (text, message) => {
    expect(() => parseGraph(text, 'g.csv')).toThrow(invalid(message));
  });
});

describe('graphHash', () => {
  it('is that of the edges, in whatever order they are listed', () => {
    const edges = [edge('a', 'b'), edge('a', 'b', { relation: 'synonym' }), edge('\u{10000}', '\uffff')];
    const hash = graphHash({ edges });
    expect(graphHash({ edges: [...edges].reverse() })).toBe(hash);
    expect(graphHash({ edges: edges.slice(1) })).not.toBe(hash);
    expect(graphHash({ edges: [edge('a', 'b', { strength: 0.51 }), ...edges.slice(1)] })).not.toBe(hash);
  });
});

describe('subgraph', () => {
  // far -> near -> asked <- unseen <- behind;  asked -> near;  asked -> elsewhere
  const chain = [
    edge('far', 'near'),
    edge('near', 'asked', { relation: 'synonym' }),
    edge('unseen', 'asked'),
    edge('behind', 'unseen'),
    edge('asked', 'near', { relation: 'part-whole', strength: 1 }),
    edge('asked', 'elsewhere'),
    edge('further', 'far'),
  ];
  const seen = new Set(['near', 'far', 'further', 'behind', 'elsewhere']);

  it('has the asked categories and the seen ones whose evidence reaches them', () => {
    expect(subgraph({ edges: chain }, ['lonely', 'asked'], seen, 2)).toEqual({
      nodes: ['lonely', 'asked', 'near', 'far'],
      hopOffsets: [2, 3, 4],
      edges: [
        { source: 2, target: 1, relation: 1, strength: 0.5 },
        { source: 1, target: 2, relation: 5, strength: 1 },
        { source: 3, target: 2, relation: 2, strength: 0.5 },
      ],
    });
  });

  it('has only the asked ones at no hops, and none behind an unseen one', () => {
    expect(subgraph({ edges: chain }, ['asked'], seen, 0).nodes).toEqual(['asked']);
    expect(subgraph({ edges: chain }, ['asked'], seen, 9).nodes).toEqual(['asked', 'near', 'far', 'further']);
    expect(subgraph({ edges: chain }, ['asked'], seen, 9).hopOffsets).toEqual([1, 2, 3, 4, 4, 4, 4, 4, 4, 4]);
  });

  const word = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '\uffff', '\u{10000}');
  const edges = fc.uniqueArray(
    fc
      .record({ source: word, target: word, relation: fc.constantFrom('is-a' as const, 'synonym' as const) })
      .map((ends) => ({ ...ends, strength: 0.5 }))
      .filter(({ source, target }) => source !== target),
    { selector: ({ source, target, relation }) => `${source} ${target} ${relation}`, maxLength: 30 },
  );
  const names = fc.uniqueArray(word, { minLength: 1, maxLength: 4 });

  it('is ordered by hop, then by name, whatever the order of the edges, and complete', () => {
    fc.assert(
      fc.property(edges, names, names, fc.nat({ max: 3 }), (list, asked, trained, hops) => {
        const seenNames = new Set(trained);
        const graph = subgraph({ edges: list }, asked, seenNames, hops);
        expect(subgraph({ edges: [...list].reverse() }, asked, seenNames, hops)).toEqual(graph);
        const { nodes, hopOffsets } = graph;
        expect(nodes.slice(0, asked.length)).toEqual(asked);
        expect(hopOffsets.length).toBe(hops + 1);
        expect(hopOffsets.at(-1)).toBe(nodes.length);
        for (let hop = 1; hop <= hops; hop++) {
          const ring = nodes.slice(hopOffsets[hop - 1], hopOffsets[hop]);
          expect(ring).toEqual([...ring].sort(compareUtf8));
          const before = nodes.slice(0, hopOffsets[hop - 1]);
          const reached = list.filter((e) => before.includes(e.target)).map((e) => e.source);
          for (const name of ring) expect(reached).toContain(name);
          for (const name of reached)
            if (seenNames.has(name)) expect(nodes.slice(0, hopOffsets[hop])).toContain(name);
        }
        const induced = list.filter((e) => nodes.includes(e.source) && nodes.includes(e.target));
        const listed = graph.edges.map((e) => ({
          ...{ source: nodes[e.source]!, target: nodes[e.target]! },
          ...{ relation: RELATIONS[e.relation], strength: e.strength },
        }));
        expect(listed.length).toBe(induced.length);
        expect(listed).toEqual(expect.arrayContaining(induced));
      }),
    );
  });
});
