import { z } from 'zod';
import { readEvaluation } from '../../data/evaluation/metricsFile.ts';
import { MANIFEST } from '../../data/run/layout.ts';
import { requireRun } from '../../data/run/requireRun.ts';
import { readJson } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';

const graphSchema = z.object({
  result: z.object({ categories: z.int(), edges: z.int(), calls: z.int(), fallbacks: z.int() }),
});
const trainSchema = z.object({
  result: z.object({ rounds: z.int(), bestRound: z.int(), images: z.int() }),
});
const tagSchema = z.object({ counts: z.object({ images: z.int(), tagged: z.int() }) });

/** What a finished run of a stage came to, in a few words, and the units of its work: questions or images. */
export async function describeStage(folder: ObjectStore): Promise<{ summary: string; units: number }> {
  const { kind } = await requireRun(folder);
  const manifest = await readJson(folder, MANIFEST);
  switch (kind) {
    case 'graph': {
      const { categories, edges, calls, fallbacks } = graphSchema.parse(manifest).result;
      const summary = [
        `${edges} edges among ${categories} categories`,
        ...(calls === 0 ? [] : [`${calls} questions`]),
        ...(fallbacks === 0 ? [] : [`WordNet stands in for ${fallbacks} answers`]),
      ].join(', ');
      return { summary, units: calls };
    }
    case 'train': {
      const { rounds, bestRound, images } = trainSchema.parse(manifest).result;
      const best = bestRound === 0 ? 'none better than before training' : `the best is ${bestRound}`;
      return { summary: `${rounds} rounds, ${best}`, units: images };
    }
    case 'evaluate': {
      const { systems, images } = await readEvaluation(folder);
      const { unseen, all } = systems.candidate?.groups ?? {};
      const figures = [
        ...(unseen ? [`ZSL mAP ${unseen.figures['mAP']!.value.toFixed(2)}`] : []),
        ...(all ? [`GZSL mAP ${all.figures['mAP']!.value.toFixed(2)}`] : []),
      ];
      return { summary: `${figures.join(', ')} on ${images} images`, units: images };
    }
    case 'tag': {
      const { images, tagged } = tagSchema.parse(manifest).counts;
      return { summary: `${tagged} of ${images} images tagged`, units: images };
    }
    case 'pretrain':
    case 'retrain':
      return { summary: '', units: 0 };
  }
}
