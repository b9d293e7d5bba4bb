/** How many parts' worth of rows are held at once: those of partitions whose keys are not next to each other. */
const HELD_PARTS = 4;

interface Buffer<Row> {
  rows: Row[];
  weight: number;
}

/**
 * Gathers rows into parts, by folder. A part is written when its rows weigh 1, and the heaviest when all that are held
 * weigh too much: which rows become a part depends on nothing but the rows.
 */
export class PartBuffers<Row> {
  private readonly weigh: (row: Row) => number;
  private readonly write: (folder: string, rows: readonly Row[]) => Promise<void>;
  private readonly buffers = new Map<string, Buffer<Row>>();
  private held = 0;

  /** @param weigh share of a part that a row is, in (0, 1] */
  constructor(weigh: (row: Row) => number, write: (folder: string, rows: readonly Row[]) => Promise<void>) {
    this.weigh = weigh;
    this.write = write;
  }

  async add(folder: string, row: Row): Promise<void> {
    let buffer = this.buffers.get(folder);
    if (!buffer) this.buffers.set(folder, (buffer = { rows: [], weight: 0 }));
    buffer.rows.push(row);
    const weight = this.weigh(row);
    buffer.weight += weight;
    this.held += weight;
    // Shares such as 1/3 do not add up to 1 exactly.
    if (buffer.weight >= 1 - 1e-9) await this.take(folder);
    else if (this.held >= HELD_PARTS) await this.take(this.heaviest());
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    for (const folder of [...this.buffers.keys()].sort()) await this.take(folder);
  }

  private heaviest(): string {
    return [...this.buffers].reduce((most, next) => (next[1].weight > most[1].weight ? next : most))[0];
  }

  private async take(folder: string): Promise<void> {
    const { rows, weight } = this.buffers.get(folder)!;
    this.buffers.delete(folder);
    this.held -= weight;
    await this.write(folder, rows);
  }
}
