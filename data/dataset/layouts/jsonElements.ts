import { isMany, none } from 'stream-chain/defs.js';
import Assembler from 'stream-json/assembler.js';
import { jsonParser, type Token } from 'stream-json/parser.js';

/** An element of an array that is a field of the file's object. */
export interface JsonElement {
  /** The field. */
  array: string;
  /** From 0. */
  index: number;
  value: unknown;
}

export interface JsonElementsOptions {
  /** Fields of the file's object, each an array, whose elements are wanted. */
  arrays: readonly string[];
  /** Fields of elements that are not wanted: they are never in memory as a whole. */
  skip: readonly string[];
}

/**
 * Elements of the arrays in a JSON object such as `{ "images": [...], "annotations": [...] }`, in the file's order, read a
 * piece at a time: memory follows the largest element.
 *
 * @param text the file, cut anywhere
 * @throws Error where the text is not JSON, or not an object
 */
export async function* jsonElements(
  text: AsyncIterable<string>,
  { arrays, skip }: JsonElementsOptions,
): AsyncGenerator<JsonElement, void, undefined> {
  const parse = jsonParser({ packValues: true, streamValues: false });
  const walk = new Walk(arrays, new Set(skip));
  const elementsOf = function* (tokens: ReturnType<typeof parse>): Generator<JsonElement> {
    if (!isMany(tokens)) return;
    for (const token of tokens.values) {
      const element = walk.take(token);
      if (element) yield element;
    }
  };
  for await (const piece of text) yield* elementsOf(parse(piece));
  const flush = parse as unknown as (end: typeof none) => ReturnType<typeof parse>;
  yield* elementsOf(flush(none));
  if (!walk.isWhole) throw new Error('it ends before its object does');
}

/** Where in the object a token is, and the element that is being put together. */
class Walk {
  isWhole = false;
  private depth = 0;
  private field = '';
  private index = 0;
  /** Depth of the value that is being skipped; its tokens are dropped until it ends. */
  private skipping: number | undefined;
  private skipNext = false;
  private assembler: Assembler | undefined;
  private readonly arrays: readonly string[];
  private readonly skip: ReadonlySet<string>;

  constructor(arrays: readonly string[], skip: ReadonlySet<string>) {
    this.arrays = arrays;
    this.skip = skip;
  }

  take(token: Token): JsonElement | undefined {
    const opens = token.name === 'startObject' || token.name === 'startArray';
    const closes = token.name === 'endObject' || token.name === 'endArray';
    if (this.depth === 0 && token.name !== 'startObject') throw new Error('it is not a JSON object');
    if (closes) this.depth--;
    const element = this.element(token, closes);
    if (opens) this.depth++;
    if (closes && this.depth === 0) this.isWhole = true;
    return element;
  }

  /** `depth` is that of the token itself: 0 for the file's object, 1 for its fields, 2 for elements of arrays. */
  private element(token: Token, closes: boolean): JsonElement | undefined {
    if (this.depth === 1 && token.name === 'keyValue') {
      this.field = token.value;
      this.index = 0;
    }
    if (this.depth === 1 && this.arrays.includes(this.field) && token.name === 'startObject')
      throw new Error(`its "${this.field}" is not an array`);
    if (this.depth < 2 || !this.arrays.includes(this.field)) return undefined;
    if (this.skipping !== undefined) {
      if (closes && this.depth === this.skipping) this.skipping = undefined;
      return undefined;
    }
    if (this.skipNext) {
      this.skipNext = false;
      if (token.name === 'startObject' || token.name === 'startArray') this.skipping = this.depth;
      return undefined;
    }
    if (this.depth === 3 && token.name === 'keyValue' && this.skip.has(token.value)) {
      this.skipNext = true;
      return undefined;
    }
    this.assembler ??= new Assembler();
    this.assembler.consume(token);
    if (this.depth > 2 || (token.name.startsWith('start') && !closes)) return undefined;
    const value = this.assembler.current;
    this.assembler = undefined;
    return { array: this.field, index: this.index++, value };
  }
}
