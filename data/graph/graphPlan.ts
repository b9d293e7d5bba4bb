import { z } from 'zod';
import { EDGE_RELATIONS } from '../graphFile.ts';
import { readJson, readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { GRAPH_PLAN, planBaseKey } from './graphLayout.ts';

const edgeSchema = z.object({
  source: z.string(),
  target: z.string(),
  relation: z.enum(EDGE_RELATIONS),
  strength: z.number(),
});

const nodeSchema = z.object({ name: z.string(), aliases: z.array(z.string()), seen: z.boolean() });

/** An answer about a category, in the run's folder and in the cache of answers. */
const answerSchema = z.object({
  category: z.string(),
  /** Names of the categories that it was asked about together with. */
  candidates: z.array(z.string()),
  edges: z.array(edgeSchema),
  /** Edges of the endpoint's answer that could not be used, by reason. */
  dropped: z.record(z.string(), z.int()),
  /** Whether the answer was not quite JSON and was mended. */
  repaired: z.boolean(),
  /** Why WordNet stands in for the endpoint; null where it answered. */
  fallback: z.object({ code: z.string(), message: z.string() }).nullable(),
});

export type Answer = z.infer<typeof answerSchema>;

const planSchema = z.object({
  version: z.literal(1),
  /** The attempt whose base counts. */
  attempt: z.string(),
  /** All categories that the graph may have edges of: the asked ones, then those that the model was trained on. */
  nodes: z.array(nodeSchema),
  /** Questions, by indices of nodes. */
  calls: z.array(z.object({ category: z.int(), candidates: z.array(z.int()) })),
  /** The most tokens that one question can be. */
  mostTokens: z.int(),
});

export type GraphPlan = z.infer<typeof planSchema>;

const baseSchema = z.object({
  /** Names of the categories that get edges. */
  targets: z.array(z.string()),
  /** The model's own edges, where they are extended. */
  own: z.array(edgeSchema),
  /** Answers of earlier runs. */
  cached: z.array(answerSchema),
  /** Pairs of neighbours that nobody has been asked about. */
  uncovered: z.int(),
  /** By target, the seen category that is nearest in text space; empty where features are not needed. */
  nearestSeen: z.record(z.string(), z.string()),
});

export type GraphBase = z.infer<typeof baseSchema>;

/** The plan in a run's folder; undefined where it is not planned yet. */
export async function readGraphPlan(output: ObjectStore): Promise<GraphPlan | undefined> {
  const json = await readJsonIfThere(output, GRAPH_PLAN);
  return json === undefined ? undefined : planSchema.parse(json);
}

export const readGraphBase = async (output: ObjectStore, { attempt }: GraphPlan): Promise<GraphBase> =>
  baseSchema.parse(await readJson(output, planBaseKey(attempt)));

/** Throws `Store.NotFound` where there is none, ZodError where it is none. */
export const readAnswerFile = async (store: ObjectStore, key: string): Promise<Answer> =>
  answerSchema.parse(await readJson(store, key));
