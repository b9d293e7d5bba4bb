import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { graphCommand } from '../../cli/commands/graph/index.ts';
import { diffGraphs } from '../../data/graph/graphDiff.ts';
import { graphHash, type GraphEdge } from '../../data/graphFile.ts';
import { failureOf } from '../support/servers/s3.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-diff-'));
});
afterAll(() => rm(folder, { recursive: true }));

const name = fc.constantFrom('a', 'b', 'c', 'é');
const edges = fc
  .uniqueArray(
    fc.record({
      ...{ source: name, target: name, relation: fc.constantFrom('is-a' as const, 'synonym' as const) },
      strength: fc.constantFrom(0.25, 0.5, 1),
    }),
    { selector: ({ source, target, relation }) => `${source} ${target} ${relation}`, maxLength: 24 },
  )
  .map((all): GraphEdge[] => all.filter(({ source, target }) => source !== target));

it('what was added, removed and changed makes one graph of the other, and the reverse undoes it', () => {
  const sameEdge = (a: Omit<GraphEdge, 'strength'>) => (b: Omit<GraphEdge, 'strength'>) =>
    a.source === b.source && a.target === b.target && a.relation === b.relation;
  fc.assert(
    fc.property(edges, edges, (before, after) => {
      const diff = diffGraphs({ edges: before }, { edges: after });
      const kept = before
        .filter((edge) => !diff.removed.some(sameEdge(edge)))
        .map((edge) => ({ ...edge, strength: diff.changed.find(sameEdge(edge))?.after ?? edge.strength }));
      expect(graphHash({ edges: [...kept, ...diff.added] })).toBe(graphHash({ edges: after }));
      expect(diff.unchanged + diff.changed.length + diff.added.length).toBe(after.length);
      const back = diffGraphs({ edges: after }, { edges: before });
      expect(back.added).toEqual(diff.removed);
      expect(back.removed).toEqual(diff.added);
      expect(diffGraphs({ edges: before }, { edges: before.toReversed() })).toEqual({
        ...{ added: [], removed: [], changed: [], unchanged: before.length },
      });
    }),
  );
});

it('is printed an edge a line, or as JSON; of a file and of a folder', async () => {
  const before = join(folder, 'before.csv');
  await writeFile(before, 'source,target,relation,strength\nwolf,dog,is-a,0.5\nlead,dog,functional,0.5\n');
  const after: GraphEdge[] = [
    { source: 'wolf', target: 'dog', relation: 'is-a', strength: 0.75 },
    { source: 'cat', target: 'animal', relation: 'is-a', strength: 1 },
  ];
  await writeFile(join(folder, 'graph.json'), JSON.stringify({ edges: after }));
  const print = async (...args: string[]): Promise<string> => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      const program = new Command().exitOverride();
      graphCommand(program, () => undefined);
      await program.parseAsync(['graph', 'diff', ...args], { from: 'user' });
      return String(log.mock.calls[0]![0]);
    } finally {
      log.mockRestore();
    }
  };
  expect((await print(before, folder)).split('\n')).toEqual([
    '- lead -> dog  functional 0.5',
    '+ cat -> animal  is-a 1',
    '~ wolf -> dog  is-a 0.5 -> 0.75',
    '1 edges added, 1 removed, 1 changed, 0 the same',
  ]);
  expect(JSON.parse(await print(folder, before, '--json'))).toEqual({
    added: [{ source: 'lead', target: 'dog', relation: 'functional', strength: 0.5 }],
    removed: [{ source: 'cat', target: 'animal', relation: 'is-a', strength: 1 }],
    changed: [{ source: 'wolf', target: 'dog', relation: 'is-a', before: 0.75, after: 0.5 }],
    unchanged: 0,
  });
  expect(await failureOf(print(before, join(folder, 'none')))).toMatchObject({ code: 'Usage.File' });
});
