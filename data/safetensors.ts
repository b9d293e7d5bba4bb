/**
 * Reads and writes safetensors: 8 bytes of header length (little endian), a JSON header, then the tensors' bytes.
 * Only the header is read on opening; a tensor's bytes are read where asked for, or not at all by us
 * (ONNX Runtime reads weights straight from the file by offset).
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { z } from 'zod';
import { Failure, messageOf } from './failure.ts';
import { fromHalves } from './half.ts';

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

/** A tensor in memory; `bytes` are row-major and little endian, at any alignment. */
export interface TensorBytes {
  shape: readonly number[];
  type: SafetensorsType;
  bytes: Uint8Array;
}

/** What can be written: float32 values, half floats as their bits (F16), or the bytes of any type. */
export type WritableTensor = { shape: readonly number[]; values: Float32Array | Uint16Array } | TensorBytes;

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
    const headerBytes = headerSize(path, readAt(fd, 0, 8), fileBytes);
    const places = parseHeader(path, readAt(fd, 8, headerBytes), fileBytes);
    return new Map(places.map((place) => [place.name, { ...place, file }]));
  } finally {
    closeSync(fd);
  }
}

/**
 * The tensors of a safetensors file that is in memory, by name; their bytes are views of `body`. Throws as
 * {@link openSafetensors} does, with `name` as the file's.
 */
export function decodeSafetensors(body: Uint8Array, name: string): Map<string, TensorBytes> {
  return new Map(
    [...tensorPlaces(body, name)].map(([tensor, { type, shape, offset, sizeBytes }]) => [
      tensor,
      { type, shape, bytes: body.subarray(offset, offset + sizeBytes) },
    ]),
  );
}

/** Where the tensors of a file in memory lie in it, by name. Throws as {@link openSafetensors} does. */
export function tensorPlaces(body: Uint8Array, name: string): Map<string, Omit<TensorEntry, 'file'>> {
  const headerBytes = headerSize(name, body.subarray(0, 8), body.length);
  const places = parseHeader(name, body.subarray(8, 8 + headerBytes), body.length);
  return new Map(places.map((place) => [place.name, place]));
}

function headerSize(path: string, prefix: Uint8Array, fileBytes: number): number {
  const headerBytes = prefix.length === 8 ? Number(Buffer.from(prefix).readBigUInt64LE()) : -1;
  if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > fileBytes)
    throw invalid(path, 'its header length does not fit the file');
  return headerBytes;
}

function parseHeader(path: string, json: Uint8Array, fileBytes: number): Omit<TensorEntry, 'file'>[] {
  const { __metadata__: _, ...entries } = parseJson(path, json) as Record<string, unknown>;
  const header = headerSchema.safeParse(entries);
  if (!header.success) throw invalid(path, z.prettifyError(header.error));
  return Object.entries(header.data).map(([name, { dtype, shape, data_offsets }]) => {
    const [begin, end] = data_offsets;
    const sizeBytes = sizeOf(dtype, shape);
    const offset = 8 + json.length + begin;
    if (end - begin !== sizeBytes || offset + sizeBytes > fileBytes)
      throw invalid(
        path,
        `${name} is ${dtype} [${shape.join(', ')}] but its bytes are ${begin} to ${end} of ${fileBytes}`,
      );
    return { name, type: dtype, shape, offset, sizeBytes };
  });
}

const sizeOf = (type: SafetensorsType, shape: readonly number[]): number =>
  shape.reduce((a, b) => a * b, 1) * BYTES_PER_ELEMENT[type];

/** The values of a floating-point or integer tensor as float32, row-major. */
export function readFloats(tensor: TensorEntry | TensorBytes): Float32Array {
  const bytes = ownBytes(tensor);
  if (tensor.type === 'F32') return new Float32Array(bytes.buffer);
  if (tensor.type === 'F16') return fromHalves(new Uint16Array(bytes.buffer));
  const at = reader(tensor.type, new DataView(bytes.buffer));
  const values = new Float32Array(bytes.byteLength / BYTES_PER_ELEMENT[tensor.type]);
  for (let i = 0; i < values.length; i++) values[i] = at(i);
  return values;
}

/** The bits of an F16 tensor's half floats, row-major. Throws `Safetensors.Type` for a tensor of another type. */
export function readHalves(tensor: TensorEntry | TensorBytes): Uint16Array {
  if (tensor.type !== 'F16')
    throw new Failure('Safetensors.Type', `The tensor is ${tensor.type} where F16 is needed.`);
  return new Uint16Array(ownBytes(tensor).buffer);
}

/** A copy of the tensor's bytes that is all of its buffer, so that numbers of any size can be read from that. */
function ownBytes(tensor: TensorEntry | TensorBytes): Uint8Array {
  return 'bytes' in tensor ? new Uint8Array(tensor.bytes) : readBytes(tensor);
}

/** The tensor's bytes as they are in the file. */
export function readBytes(entry: TensorEntry): Buffer {
  const fd = openSync(entry.file, 'r');
  try {
    const bytes = readAt(fd, entry.offset, entry.sizeBytes);
    if (bytes.length < entry.sizeBytes) throw invalid(entry.file, `${entry.name} is cut off`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/**
 * The bytes of a safetensors file; `metadata` are its free-form strings. Throws `Safetensors.Shape` where a tensor's
 * size does not follow from its shape.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const bodies: Uint8Array[] = [];
  let end = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { type, shape, bytes } = 'bytes' in tensor ? tensor : bytesOf(tensor);
    if (bytes.length !== sizeOf(type, shape)) {
      const what = `${name} is ${type} [${shape.join(', ')}] but has ${bytes.length} bytes`;
      throw new Failure('Safetensors.Shape', `The tensor ${what}.`, { subject: name });
    }
    header[name] = { dtype: type, shape, data_offsets: [end, (end += bytes.length)] };
    bodies.push(bytes);
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...bodies]);
}

function bytesOf({ shape, values }: Exclude<WritableTensor, TensorBytes>): TensorBytes {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { shape, type: values instanceof Uint16Array ? 'F16' : 'F32', bytes };
}

function reader(type: Exclude<SafetensorsType, 'F32' | 'F16'>, view: DataView): (i: number) => number {
  switch (type) {
    case 'F64':
      return (i) => view.getFloat64(8 * i, true);
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

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
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
