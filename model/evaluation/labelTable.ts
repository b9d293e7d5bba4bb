/** Labels of many images, sparse: what a row lists, and whether what it does not list is absent or unknown. */
export interface LabelTable {
  /** N */
  readonly images: number;
  /** [C] images that a category is present in. */
  readonly positives: Uint32Array;
  /** Writes the labels of a category, [N]: 1 present, -1 absent, 0 unknown. */
  column(category: number, into: Int8Array): void;
}

/** An image's labels: indices of categories; `absent` null: all that are not present. */
export interface LabelRow {
  present: readonly number[];
  absent: readonly number[] | null;
}

/** Gathers labels row by row, then sorts them by category once. */
export class LabelTableBuilder {
  private readonly categories: number;
  private images = 0;
  private entries = 0;
  /** 2 * category + 1 where present, and the image. */
  private codes = new Uint32Array(1024);
  private owners = new Uint32Array(1024);
  /** Label of what an image does not list. */
  private unlisted = new Int8Array(1024);

  /** @param categories C */
  constructor(categories: number) {
    this.categories = categories;
  }

  add({ present, absent }: LabelRow): void {
    if (this.images === this.unlisted.length) this.unlisted = grown(this.unlisted, Int8Array);
    this.unlisted[this.images] = absent === null ? -1 : 0;
    for (const category of present) this.push(2 * category + 1);
    for (const category of absent ?? []) this.push(2 * category);
    this.images++;
  }

  build(): LabelTable {
    const { categories, images, entries, codes, owners } = this;
    const starts = new Uint32Array(categories + 1);
    for (let i = 0; i < entries; i++) starts[(codes[i]! >>> 1) + 1]!++;
    for (let c = 0; c < categories; c++) starts[c + 1]! += starts[c]!;
    // Sorted by category: the image, and whether it is present there, in one number.
    const sorted = new Uint32Array(entries);
    const next = starts.slice();
    const positives = new Uint32Array(categories);
    for (let i = 0; i < entries; i++) {
      const category = codes[i]! >>> 1;
      sorted[next[category]!++] = 2 * owners[i]! + (codes[i]! & 1);
      positives[category]! += codes[i]! & 1;
    }
    const unlisted = this.unlisted.subarray(0, images);
    return {
      images,
      positives,
      column(category, into) {
        into.set(unlisted);
        for (let at = starts[category]!; at < starts[category + 1]!; at++)
          into[sorted[at]! >>> 1] = (sorted[at]! & 1) === 1 ? 1 : -1;
      },
    };
  }

  private push(code: number): void {
    if (this.entries === this.codes.length) {
      this.codes = grown(this.codes, Uint32Array);
      this.owners = grown(this.owners, Uint32Array);
    }
    this.codes[this.entries] = code;
    this.owners[this.entries++] = this.images;
  }
}

function grown<Values extends Uint32Array | Int8Array>(
  values: Values,
  Type: new (length: number) => Values,
): Values {
  const larger = new Type(2 * values.length);
  larger.set(values);
  return larger;
}
