/**
 * Where each entry of a gathered axis is used: the transpose of a table of indices, as padded tables, so that the
 * gradient of a Gather is a Gather too. Rows of an entry with many uses are split, so that one popular category does not
 * widen the table for all: uses are first summed in pieces of at most `width`, then the pieces of an entry.
 */
import * as ort from 'onnxruntime-node';
import { Failure } from '../../data/failure.ts';
import { describe, type Dim, type Graph, type Tensor } from './graph.ts';
import * as op from './ops.ts';
import type { Feeds } from './session.ts';

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

/** Uses per piece that are tried. */
const PIECE_WIDTHS = [8, 16, 32, 64, 128];

/** The uses of entries 0..count-1 in `indices`; `used` tells which places of the table count (its padding does not). */
export function transposeIndices(
  indices: BigInt64Array,
  used: (place: number) => boolean,
  count: number,
): Uses {
  const places = Array.from({ length: count }, (): number[] => []);
  for (const [place, index] of indices.entries()) if (used(place)) places[Number(index)]!.push(place);
  const width = pieceWidth(places.map((own) => own.length));
  const pieces: number[][] = [];
  const entries = places.map((own) => {
    const first = pieces.length;
    for (let i = 0; i < own.length; i += width) pieces.push(own.slice(i, i + width));
    return Array.from({ length: pieces.length - first }, (_, i) => first + i);
  });
  return { pieces: paddedTable(pieces.length > 0 ? pieces : [[]]), entries: paddedTable(entries) };
}

/** {@link transposeIndices} of different indices, in time and memory that a large table of entries does not mind. */
export function invertIndices(indices: BigInt64Array, count: number): Uses {
  const used = indices.length;
  const pieces: PaddedTable = {
    rows: used,
    width: 1,
    positions: BigInt64Array.from(indices, (_, place) => BigInt(place)),
    mask: new Float32Array(used).fill(1),
  };
  const entries: PaddedTable = {
    rows: count,
    width: 1,
    positions: new BigInt64Array(count),
    mask: new Float32Array(count),
  };
  for (const [place, index] of indices.entries()) {
    entries.positions[Number(index)] = BigInt(place);
    entries.mask[Number(index)] = 1;
  }
  return { pieces, entries };
}

/** The width of pieces for which both tables together have the fewest places, padding included. */
function pieceWidth(counts: readonly number[]): number {
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const places = (width: number): number => {
    const pieces = counts.reduce((sum, count) => sum + Math.ceil(count / width), 0);
    return pieces * Math.min(width, most) + counts.length * Math.ceil(most / width);
  };
  return PIECE_WIDTHS.reduce((best, width) => (places(width) < places(best) ? width : best));
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

/**
 * Declares the uses of `count` entries as inputs of `graph`, named `<name>_...`, and makes them the gradient of gathers
 * by `indices`. Only the number of entries is fixed: the tables of every run may have sizes of their own.
 */
export function declareUses(graph: Graph, name: string, indices: Tensor, count: Dim): void {
  const declare = (part: 'pieces' | 'entries', rows: Dim) => {
    const shape = [rows, `${name}_${part}_width`];
    return {
      positions: graph.input(`${name}_${part}`, 'int64', shape),
      mask: graph.input(`${name}_${part}_mask`, 'float32', shape),
    };
  };
  registered.set(indices, {
    pieces: declare('pieces', `${name}_pieces`),
    entries: declare('entries', count),
  });
}

/** The feeds of what {@link declareUses} declared under `name`. */
export function usesFeeds(name: string, uses: Uses): Feeds {
  const feeds: Feeds = {};
  for (const part of ['pieces', 'entries'] as const) {
    const { rows, width, positions, mask } = uses[part];
    feeds[`${name}_${part}`] = new ort.Tensor('int64', positions, [rows, width]);
    feeds[`${name}_${part}_mask`] = new ort.Tensor('float32', mask, [rows, width]);
  }
  return feeds;
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
  const after = dy.shape.slice(axis + indexRank);
  const flat = op.mergeAxes(dy, axis, axis + indexRank);
  // [..., places, features]
  const values =
    after.length === 0 ? op.unsqueeze(flat, -1) : op.mergeAxes(flat, axis + 1, axis + 1 + after.length);
  const sum = (all: Tensor, { positions, mask }: { positions: Tensor; mask: Tensor }): Tensor => {
    const gathered = op.gather(all, positions, axis); // [..., rows, width, features]
    return op.squeeze(op.matMul(op.unsqueeze(mask, 1), gathered), -2);
  };
  const summed = sum(sum(values, pieces), entries);
  return after.length === 1 ? summed : op.reshape(summed, x.shape);
}
