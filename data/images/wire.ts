import { Failure } from '../failure.ts';
import type { Decoded } from './preprocess.ts';
import type { PreprocessConfig } from './preprocessConfig.ts';

/**
 * What the pool and a decoding process say to each other over a socket pair: frames of a 32-bit little-endian length
 * and as many bytes. To the process: one image a frame. From it: `READY` once, then one answer per image, in order.
 *
 * A bare socket instead of Node's IPC channel: an image and its pixels cross it without being serialised, and on a
 * small JPEG the channel's own cost would be a good part of the decode's.
 */
export const PIPE_FD = 3;

/** What a decoding process is started with, as JSON in its first argument. */
export interface DecodeSetup {
  preprocess: PreprocessConfig;
  maxPixels: number;
}

const LENGTH_BYTES = 4;
const READY = 0;
const DECODED = 1;
const FAILED = 2;
/** Kind (u32), width (u32), height (u32); the pixels or the failure follow. */
const ANSWER_HEADER_BYTES = 12;

/** The four bytes that go before a body of `lengthBytes`. */
export function frameLength(lengthBytes: number): Uint8Array {
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32LE(lengthBytes);
  return length;
}

/** Cuts a byte stream into frames. A frame's bytes are its own: they share memory with no other frame. */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthFilled = 0;
  #frame: Buffer | undefined;
  #frameFilled = 0;

  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#frame) {
        const copied = chunk.copy(this.#length, this.#lengthFilled, at);
        at += copied;
        this.#lengthFilled += copied;
        if (this.#lengthFilled < LENGTH_BYTES) return;
        this.#lengthFilled = 0;
        this.#frame = Buffer.allocUnsafeSlow(this.#length.readUInt32LE());
        this.#frameFilled = 0;
      }
      const copied = chunk.copy(this.#frame, this.#frameFilled, at);
      at += copied;
      this.#frameFilled += copied;
      if (this.#frameFilled < this.#frame.length) return;
      const frame = this.#frame;
      this.#frame = undefined;
      this.#onFrame(frame);
    }
  }
}

/** What a decoding process answers. */
export type Answer = { ready: true } | { decoded: Decoded } | { failure: Failure };

/** The answer's parts, to be written one after the other: pixels are not copied. */
export function encodeAnswer(answer: Answer): Uint8Array[] {
  if ('ready' in answer) return answerParts(READY, 0, 0, new Uint8Array(0));
  if ('decoded' in answer) {
    const { width, height, pixels } = answer.decoded;
    return answerParts(DECODED, width, height, pixels);
  }
  const { code, message, hint } = answer.failure;
  return answerParts(FAILED, 0, 0, Buffer.from(JSON.stringify({ code, message, hint })));
}

function answerParts(kind: number, width: number, height: number, rest: Uint8Array): Uint8Array[] {
  const header = Buffer.allocUnsafe(LENGTH_BYTES + ANSWER_HEADER_BYTES);
  header.writeUInt32LE(ANSWER_HEADER_BYTES + rest.length, 0);
  header.writeUInt32LE(kind, 4);
  header.writeUInt32LE(width, 8);
  header.writeUInt32LE(height, 12);
  return [header, rest];
}

/** Reads a frame that {@link encodeAnswer} made. The pixels are a view of it. */
export function decodeAnswer(frame: Uint8Array): Answer {
  const view = new DataView(frame.buffer, frame.byteOffset, ANSWER_HEADER_BYTES);
  const kind = view.getUint32(0, true);
  const rest = new Uint8Array(
    frame.buffer,
    frame.byteOffset + ANSWER_HEADER_BYTES,
    frame.length - ANSWER_HEADER_BYTES,
  );
  if (kind === READY) return { ready: true };
  if (kind === DECODED) {
    return { decoded: { pixels: rest, width: view.getUint32(4, true), height: view.getUint32(8, true) } };
  }
  const { code, message, hint } = JSON.parse(Buffer.from(rest).toString()) as {
    code: string;
    message: string;
    hint?: string;
  };
  return { failure: new Failure(code, message, hint === undefined ? {} : { hint }) };
}
