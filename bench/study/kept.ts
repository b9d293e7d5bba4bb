import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Results by what determines them: a study that was cut off goes on where it was. */
export class Kept {
  private readonly dir: string;
  private readonly common: unknown;

  /** @param common what determines all of them */
  constructor(dir: string, common: unknown) {
    this.dir = dir;
    this.common = common;
  }

  /** The result of `make`, which is JSON, from the folder where it is there. */
  async of<Result>(about: unknown, make: () => Promise<Result>): Promise<Result> {
    const name = createHash('sha256')
      .update(JSON.stringify([this.common, about]))
      .digest('hex');
    const file = join(this.dir, `${name.slice(0, 32)}.json`);
    try {
      return JSON.parse(await readFile(file, 'utf8')) as Result;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const result = await make();
    await mkdir(this.dir, { recursive: true });
    await writeFile(`${file}.part`, JSON.stringify(result));
    await rename(`${file}.part`, file);
    return result;
  }
}
