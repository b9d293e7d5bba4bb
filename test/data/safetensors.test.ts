import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { toHalves } from '../../data/half.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  readBytes,
  readFloats,
  readHalves,
} from '../../data/safetensors.ts';

const dir = mkdtempSync(join(tmpdir(), 'c2srt-safetensors-'));
afterAll(() => rmSync(dir, { recursive: true }));
let serial = 0;

function write(header: unknown, body: Uint8Array = new Uint8Array()): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = join(dir, `${serial++}.safetensors`);
  writeFileSync(file, Buffer.concat([length, json, body]));
  return file;
}

test('what is encoded reads back', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__' && name !== '__proto__'),
        fc.float32Array({ maxLength: 20 }),
      ),
      (tensors) => {
        const file = join(dir, `${serial++}.safetensors`);
        writeFileSync(
          file,
          encodeSafetensors(
            Object.fromEntries(
              Object.entries(tensors).map(([name, values]) => [name, { shape: [values.length], values }]),
            ),
          ),
        );
        const read = openSafetensors(file);
        expect([...read.keys()].sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, values] of Object.entries(tensors))
          expect(readFloats(read.get(name)!)).toEqual(values);
      },
    ),
    { numRuns: 50 },
  );
});

test('half floats and bytes of any type are written as they are, and read from a file as from memory', () => {
  const halves = toHalves(Float32Array.of(0.1, -2, 65_504, 2 ** -24, NaN));
  // An odd number of bytes, so that what follows lies at odd places.
  const flags = Uint8Array.of(1, 0, 1);
  const bfloats = Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0);
  const body = encodeSafetensors(
    {
      flags: { shape: [3], type: 'BOOL', bytes: flags },
      halves: { shape: [5, 1], values: halves },
      floats: { shape: [2], values: Float32Array.of(0.1, -1e-40).subarray(0, 2) },
      bfloats: { shape: [2], type: 'BF16', bytes: bfloats },
      nothing: { shape: [0, 4], values: new Uint16Array() },
    },
    { made: 'here' },
  );
  const file = join(dir, `${serial++}.safetensors`);
  writeFileSync(file, body);
  const [onDisk, inMemory] = [openSafetensors(file), decodeSafetensors(body, 'body')];
  expect([...inMemory.keys()]).toEqual([...onDisk.keys()]);
  for (const [name, tensor] of inMemory) {
    const entry = onDisk.get(name)!;
    expect([tensor.type, tensor.shape]).toEqual([entry.type, entry.shape]);
    expect(Buffer.from(tensor.bytes).equals(readBytes(entry))).toBe(true);
    expect(readFloats(tensor)).toEqual(readFloats(entry));
  }
  expect([...readBytes(onDisk.get('bfloats')!)]).toEqual([...bfloats]);
  expect([...readFloats(inMemory.get('bfloats')!)]).toEqual([1.5, -2]);
  expect(readFloats(inMemory.get('floats')!)).toEqual(Float32Array.of(0.1, -1e-40));
  for (const tensor of [onDisk.get('halves')!, inMemory.get('halves')!])
    expect(readHalves(tensor)).toEqual(halves);
  expect(inMemory.get('nothing')!.shape).toEqual([0, 4]);
  expect(() => readHalves(onDisk.get('floats')!)).toThrow(
    expect.objectContaining({ code: 'Safetensors.Type' }),
  );
});

test('a tensor whose size is not that of its shape is not written', () => {
  for (const tensor of [
    { shape: [3], values: new Float32Array(2) },
    { shape: [3], values: new Uint16Array(2) },
    { shape: [3], type: 'F16' as const, bytes: new Uint8Array(5) },
  ])
    expect(() => encodeSafetensors({ x: tensor })).toThrow(
      expect.objectContaining({ code: 'Safetensors.Shape', subject: 'x' }),
    );
});

/** 1.5, -2, the smallest subnormal or its kin, and infinity, in each type. */
test.each<[string, Uint8Array, number[]]>([
  [
    'F16',
    new Uint8Array(Uint16Array.of(0x3e00, 0xc000, 0x0001, 0x7c00).buffer),
    [1.5, -2, 2 ** -24, Infinity],
  ],
  [
    'BF16',
    new Uint8Array(Uint16Array.of(0x3fc0, 0xc000, 0x0001, 0x7f80).buffer),
    [1.5, -2, 2 ** -133, Infinity],
  ],
  [
    'F64',
    new Uint8Array(Float64Array.of(1.5, -2, 0.1, Infinity).buffer),
    [1.5, -2, Math.fround(0.1), Infinity],
  ],
  ['I64', new Uint8Array(BigInt64Array.of(1n, -2n, 7n, 0n).buffer), [1, -2, 7, 0]],
  ['U8', Uint8Array.of(1, 255, 7, 0), [1, 255, 7, 0]],
])('%s reads as float32', (dtype, bytes, expected) => {
  const file = write({ x: { dtype, shape: [4], data_offsets: [0, bytes.length] } }, bytes);
  expect([...readFloats(openSafetensors(file).get('x')!)]).toEqual(expected);
});

describe('refused as not whole:', () => {
  const whole = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  const cases: [string, () => string][] = [
    ['an empty file', () => (writeFileSync(join(dir, 'empty'), ''), join(dir, 'empty'))],
    [
      'a file that ends within the length',
      () => (writeFileSync(join(dir, 'short'), Buffer.alloc(5)), join(dir, 'short')),
    ],
    [
      'a header longer than the file',
      () => (
        writeFileSync(
          join(dir, 'long'),
          Buffer.concat([Buffer.from([255, 255, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]),
        ),
        join(dir, 'long')
      ),
    ],
    ['a header that is not JSON', () => write('{"x": ')],
    ['a header that is a list', () => write('[1]')],
    ['an unknown type', () => write({ x: { ...whole, dtype: 'F8_E4M3' } }, new Uint8Array(8))],
    [
      'a size that does not follow from the shape',
      () => write({ x: { ...whole, shape: [3] } }, new Uint8Array(8)),
    ],
    ['a tensor past the end', () => write({ x: whole }, new Uint8Array(4))],
    ['offsets that run backwards', () => write({ x: { ...whole, data_offsets: [8, 0] } }, new Uint8Array(8))],
  ];
  test.each(cases)('%s', (_, make) => {
    const file = make();
    const invalid = expect.objectContaining({ code: 'Safetensors.Invalid', subject: file }) as Error;
    expect(() => openSafetensors(file)).toThrow(invalid);
    expect(() => decodeSafetensors(readFileSync(file), file)).toThrow(invalid);
  });
});
