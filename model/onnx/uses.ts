/**
 * Where each entry of a gathered axis is used: the transpose of a table of indices, as padded tables, so that the
 * gradient of a Gather is a Gather too. Rows of an entry with many uses are split, so that one popular category does not
 * widen the table for all: uses are first summed in pieces of at most `width`, then the pieces of an entry.
 */
import { Failure } from '../../data/failure.ts';
import { describe, type Graph, type Tensor } from './graph.ts';
import * as op from './ops.ts';

/** A padded table of positions: [rows, width] with 1 in `mask` where there is one. */
export interface PaddedTable {
  rows: number;
  width: number;
  positions: BigInt64Array;
  mask: Float32Array;
}

export interface Uses {
  /** Positions in the flattened index table, in pieces. */
  pieces: PaddedTable;
  /** The pieces of each entry. */
  entries: PaddedTable;
}

/** A {@link Uses} inside a graph. */
export interface UsesTensors {
  pieces: { positions: Tensor; mask: Tensor };
  entries: { positions: Tensor; mask: Tensor };
}

const PIECE = 16;

/** The uses of entries 0..count-1 in `indices`; `used` tells which places of the table count (its padding does not). */
export function transposeIndices(
  indices: BigInt64Array,
  used: (place: number) => boolean,
  count: number,
): Uses {
  const places = Array.from({ length: count }, (): number[] => []);
  for (const [place, index] of indices.entries()) if (used(place)) places[Number(index)]!.push(place);
  const pieces: number[][] = [];
  const entries = places.map((own) => {
    const first = pieces.length;
    for (let i = 0; i < own.length; i += PIECE) pieces.push(own.slice(i, i + PIECE));
    return Array.from({ length: pieces.length - first }, (_, i) => first + i);
  });
  return { pieces: paddedTable(pieces.length > 0 ? pieces : [[]]), entries: paddedTable(entries) };
}

function paddedTable(rows: readonly number[][]): PaddedTable {
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), 1);
  const positions = new BigInt64Array(rows.length * width);
  const mask = new Float32Array(rows.length * width);
  for (const [r, row] of rows.entries()) {
    for (const [i, position] of row.entries()) {
      positions[r * width + i] = BigInt(position);
      mask[r * width + i] = 1;
    }
  }
  return { rows: rows.length, width, positions, mask };
}

const registered = new WeakMap<Tensor, UsesTensors>();

/** Declares uses as inputs of `graph`, named `<name>_...`, and makes them the gradient of gathers by `indices`. */
export function declareUses(graph: Graph, name: string, indices: Tensor, uses: Uses): void {
  const declare = (part: 'pieces' | 'entries') => {
    const { rows, width } = uses[part];
    return {
      positions: graph.input(`${name}_${part}`, 'int64', [rows, width]),
      mask: graph.input(`${name}_${part}_mask`, 'float32', [rows, width]),
    };
  };
  registered.set(indices, { pieces: declare('pieces'), entries: declare('entries') });
}

/** The uses declared for `indices`. Throws `Onnx.NoGradient` where there are none. */
export function usesOf(indices: Tensor): UsesTensors {
  const uses = registered.get(indices);
  if (uses) return uses;
  throw new Failure(
    'Onnx.NoGradient',
    `A Gather by ${describe(indices)} is differentiated, but its uses were not declared.`,
  );
}

/** The gradient of `gather(x, indices, axis)`: each entry's is the sum of `dy` over its uses. */
export function sumUses(dy: Tensor, x: Tensor, axis: number, { pieces, entries }: UsesTensors): Tensor {
  const indexRank = dy.rank - x.rank + 1;
  const before = dy.shape.slice(0, axis);
  const table = dy.shape.slice(axis, axis + indexRank) as number[];
  const after = dy.shape.slice(axis + indexRank);
  const flat = op.reshape(dy, [...before, table.reduce((a, b) => a * b, 1), ...after]);
  const sum = (values: Tensor, { positions, mask }: { positions: Tensor; mask: Tensor }): Tensor => {
    const gathered = op.gather(values, positions, axis); // [..., rows, width, ...after]
    const weights = op.reshape(mask, [...mask.shape, ...after.map(() => 1)]);
    return op.reduceSum(op.mul(gathered, weights), axis + 1);
  };
  return sum(sum(flat, pieces), entries);
}
