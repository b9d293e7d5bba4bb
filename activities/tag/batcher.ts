import type { BatchScores } from '../../model/tagger.ts';
import type { SharedTagger } from './dependencies.ts';

/** Scores of one image. */
export interface ImageScores {
  /** [asked], of all vocabularies one after another */
  scores: Float32Array;
  /** [d] */
  embedding?: Float32Array;
}

/**
 * Gathers decoded images into batches and runs them one after another, so that while one batch runs the next fills.
 * `push` waits while a full batch is waiting behind the running one: decoding never runs further ahead than that.
 */
export class Batcher<Item> {
  private readonly tagger: SharedTagger;
  private readonly imageBytes: number;
  private readonly onScores: (item: Item, scores: ImageScores) => void;
  private items: Item[] = [];
  private pixels: Uint8Array<ArrayBuffer>;
  /** The batch being run and the one behind it. */
  private queue: Promise<void> = Promise.resolve();
  private waiting = 0;
  private room: { promise: Promise<void>; resolve: () => void } | undefined;
  private failure: { error: unknown } | undefined;

  constructor(tagger: SharedTagger, imageBytes: number, onScores: (item: Item, scores: ImageScores) => void) {
    this.tagger = tagger;
    this.imageBytes = imageBytes;
    this.onScores = onScores;
    this.pixels = this.buffer();
  }

  /** Adds an image; resolves when there is room for another. Rejects with what made a batch fail. */
  async push(item: Item, pixels: Uint8Array): Promise<void> {
    while (this.waiting >= 2) await (this.room ??= Promise.withResolvers<void>()).promise;
    this.check();
    this.pixels.set(pixels, this.items.length * this.imageBytes);
    this.items.push(item);
    if (this.items.length === this.tagger.batchSize) this.dispatch();
  }

  /** Runs what has gathered, and waits for all batches. */
  async flush(): Promise<void> {
    if (this.items.length > 0 && !this.failure) this.dispatch();
    await this.queue;
    this.check();
  }

  private dispatch(): void {
    const { items, pixels } = this;
    this.items = [];
    this.pixels = this.buffer();
    this.waiting++;
    this.queue = this.queue.then(() => this.run(items, pixels.subarray(0, items.length * this.imageBytes)));
  }

  private async run(items: Item[], pixels: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      if (!this.failure) this.deliver(items, await this.tagger.run(pixels));
    } catch (error) {
      this.failure = { error };
    } finally {
      this.waiting--;
      this.room?.resolve();
      this.room = undefined;
    }
  }

  private deliver(items: Item[], { scores, embeddings }: BatchScores): void {
    const count = scores.length / items.length;
    const d = embeddings ? embeddings.length / items.length : 0;
    for (const [i, item] of items.entries()) {
      const own = scores.subarray(i * count, (i + 1) * count);
      this.onScores(
        item,
        embeddings ? { scores: own, embedding: embeddings.slice(i * d, (i + 1) * d) } : { scores: own },
      );
    }
  }

  private check(): void {
    if (this.failure) throw this.failure.error;
  }

  private buffer(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.tagger.batchSize * this.imageBytes);
  }
}
