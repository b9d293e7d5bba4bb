import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LabelTableBuilder } from '../../../model/evaluation/labelTable.ts';

const CATEGORIES = 7;
const category = fc.integer({ min: 0, max: CATEGORIES - 1 });
const row = fc
  .tuple(fc.uniqueArray(category), fc.option(fc.uniqueArray(category)))
  .map(([present, absent]) => ({ present, absent: absent && absent.filter((c) => !present.includes(c)) }));

test('columns are those of the dense table', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const builder = new LabelTableBuilder(CATEGORIES);
      for (const one of rows) builder.add(one);
      const table = builder.build();
      expect(table.images).toBe(rows.length);
      const column = new Int8Array(rows.length);
      for (let c = 0; c < CATEGORIES; c++) {
        table.column(c, column);
        const dense = rows.map(({ present, absent }) =>
          present.includes(c) ? 1 : absent === null || absent.includes(c) ? -1 : 0,
        );
        expect([...column]).toEqual(dense);
        expect(table.positives[c]).toBe(dense.filter((label) => label > 0).length);
      }
    }),
  );
});

test('grows past its first size', () => {
  const builder = new LabelTableBuilder(2);
  for (let i = 0; i < 5000; i++) builder.add({ present: [i % 2], absent: null });
  const table = builder.build();
  const column = new Int8Array(5000);
  table.column(1, column);
  expect([...table.positives]).toEqual([2500, 2500]);
  expect([...column.subarray(4996)]).toEqual([-1, 1, -1, 1]);
});
