/**
 * Reads safetensors: 8 bytes of header length (little endian), a JSON header, then the tensors' bytes.
 * Only the header is read on opening; a tensor's bytes are read where asked for, or not at all by us
 * (ONNX Runtime reads weights straight from the file by offset).
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { z } from 'zod';
import { Failure, messageOf } from './failure.ts';

const BYTES_PER_ELEMENT = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
export type SafetensorsType = keyof typeof BYTES_PER_ELEMENT;

const MAX_HEADER_BYTES = 100_000_000;

/** A tensor in a file: its type, shape, and where its bytes lie. */
export interface TensorEntry {
  name: string;
  type: SafetensorsType;
  shape: number[];
  /** The file that holds it, symbolic links resolved. */
  file: string;
  /** First byte in the file. */
  offset: number;
  sizeBytes: number;
}

const headerSchema = z.record(
  z.string(),
  z.object({
    dtype: z.enum(Object.keys(BYTES_PER_ELEMENT) as [SafetensorsType, ...SafetensorsType[]]),
    shape: z.array(z.int().nonnegative()),
    data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
  }),
);

/**
 * The tensors in a safetensors file, by name.
 * Throws `Safetensors.Invalid` where the header does not describe the file: truncated, overlong, or a size that
 * does not follow from type and shape.
 */
export function openSafetensors(path: string): Map<string, TensorEntry> {
  const file = realpathSync(path);
  const fd = openSync(file, 'r');
  try {
    const fileBytes = fstatSync(fd).size;
    const prefix = readAt(fd, 0, 8);
    const headerBytes = prefix.length === 8 ? Number(prefix.readBigUInt64LE()) : -1;
    if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > fileBytes) {
      throw invalid(path, 'its header length does not fit the file');
    }
    const { __metadata__: _, ...entries } = parseJson(path, readAt(fd, 8, headerBytes)) as Record<
      string,
      unknown
    >;
    const header = headerSchema.safeParse(entries);
    if (!header.success) throw invalid(path, z.prettifyError(header.error));
    const tensors = new Map<string, TensorEntry>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header.data)) {
      const [begin, end] = data_offsets;
      const sizeBytes = shape.reduce((a, b) => a * b, 1) * BYTES_PER_ELEMENT[dtype];
      const offset = 8 + headerBytes + begin;
      if (end - begin !== sizeBytes || offset + sizeBytes > fileBytes) {
        throw invalid(
          path,
          `${name} is ${dtype} [${shape.join(', ')}] but its bytes are ${begin} to ${end} of ${fileBytes}`,
        );
      }
      tensors.set(name, { name, type: dtype, shape, file, offset, sizeBytes });
    }
    return tensors;
  } finally {
    closeSync(fd);
  }
}

/** The values of a floating-point or integer tensor as float32, row-major. */
export function readFloats(entry: TensorEntry): Float32Array {
  const bytes = readBytes(entry);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / BYTES_PER_ELEMENT[entry.type];
  const at = reader(entry, view);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = at(i);
  return values;
}

/** The tensor's bytes as they are in the file. */
export function readBytes(entry: TensorEntry): Buffer {
  const fd = openSync(entry.file, 'r');
  try {
    return readAt(fd, entry.offset, entry.sizeBytes);
  } finally {
    closeSync(fd);
  }
}

/** The bytes of a safetensors file holding float32 tensors; `metadata` are its free-form strings. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, { shape: readonly number[]; values: Float32Array }>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += values.byteLength)] };
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const bodies = Object.values(tensors).map(
    ({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
  return Buffer.concat([length, padded, ...bodies]);
}

function reader(entry: TensorEntry, view: DataView): (i: number) => number {
  switch (entry.type) {
    case 'F64':
      return (i) => view.getFloat64(8 * i, true);
    case 'F32':
      return (i) => view.getFloat32(4 * i, true);
    case 'F16':
      return (i) => halfToFloat(view.getUint16(2 * i, true));
    case 'BF16': {
      const word = new DataView(new ArrayBuffer(4));
      return (i) => {
        word.setUint32(0, view.getUint16(2 * i, true) << 16);
        return word.getFloat32(0);
      };
    }
    case 'I64':
      return (i) => Number(view.getBigInt64(8 * i, true));
    case 'I32':
      return (i) => view.getInt32(4 * i, true);
    case 'I16':
      return (i) => view.getInt16(2 * i, true);
    case 'I8':
      return (i) => view.getInt8(i);
    case 'U8':
    case 'BOOL':
      return (i) => view.getUint8(i);
  }
}

/** IEEE 754 half precision, subnormals, infinities and NaN included. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, buffer, filled, length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

function parseJson(path: string, bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new Error('not a JSON object');
    return value;
  } catch (error) {
    throw invalid(path, `its header is not JSON (${messageOf(error)})`);
  }
}

function invalid(path: string, why: string): Failure {
  return new Failure('Safetensors.Invalid', `${path} is not a whole safetensors file: ${why}.`, {
    subject: path,
    hint: 'Fetch the file again; it was probably cut off in transfer.',
  });
}
