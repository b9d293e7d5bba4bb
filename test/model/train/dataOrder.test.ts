import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchRows, shardSlice, stepsPerEpoch, type DataOrder } from '../../../model/train/dataOrder.ts';

const orders = fc
  .record({
    images: fc.integer({ min: 1, max: 500 }),
    shards: fc.integer({ min: 1, max: 7 }),
    batchSize: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(),
  })
  .filter(({ images, shards }) => images >= shards);

const shardsOf = ({ shards }: DataOrder): number[] => Array.from({ length: shards }, (_, shard) => shard);

test('slices cover every image once', () => {
  fc.assert(
    fc.property(orders, (order) => {
      const rows = shardsOf(order).flatMap((shard) => {
        const { from, to } = shardSlice(order, shard);
        return Array.from({ length: to - from }, (_, i) => from + i);
      });
      expect(rows).toEqual(Array.from({ length: order.images }, (_, i) => i));
    }),
  );
});

test('in an epoch a shard sees no image twice, only its own, and at most a batch less than all of the smallest slice', () => {
  fc.assert(
    fc.property(orders, fc.nat({ max: 3 }), (order, epoch) => {
      const steps = stepsPerEpoch(order);
      const smallest = Math.floor(order.images / order.shards);
      for (const shard of shardsOf(order)) {
        const { from, to } = shardSlice(order, shard);
        const rowsOf = batchRows(order, shard);
        const rows = Array.from({ length: steps }, (_, i) => [...rowsOf(epoch * steps + i)]).flat();
        expect(new Set(rows).size).toBe(rows.length);
        expect(rows.every((row) => from <= row && row < to)).toBe(true);
        expect(rows.length).toBeGreaterThan(smallest - order.batchSize);
      }
    }),
  );
});

test('a step has the same rows whichever steps were asked for before it', () => {
  fc.assert(
    fc.property(
      orders,
      fc.array(fc.nat({ max: 60 }), { maxLength: 5 }),
      fc.nat({ max: 60 }),
      (order, before, step) => {
        const rowsOf = batchRows(order, 0);
        for (const earlier of before) rowsOf(earlier);
        expect(rowsOf(step)).toEqual(batchRows(order, 0)(step));
      },
    ),
  );
});

test('epochs, shards and seeds have orders of their own', () => {
  const order = { images: 400, shards: 2, batchSize: 200, seed: 1 };
  const first = [...batchRows(order, 0)(0)];
  const others = [
    [...batchRows(order, 0)(1)],
    [...batchRows(order, 1)(0)].map((row) => row - 200),
    [...batchRows({ ...order, seed: 2 }, 0)(0)],
  ];
  for (const other of others) {
    expect(other).not.toEqual(first);
    expect([...other].sort((a, b) => a - b)).toEqual([...first].sort((a, b) => a - b));
  }
});
