import { Graph } from '../onnx/graph.ts';
import { classifyRuntimeError, createSession, type DeviceOptions, type Session } from '../onnx/session.ts';
import type { Objective } from '../train/objective.ts';
import { parameterFeeds } from '../train/parameters.ts';
import { contrastiveFeeds, type ContrastiveBatch } from './contrastiveFeeds.ts';
import { buildContrastiveGraph, type ContrastiveOptions } from './contrastiveGraph.ts';

/**
 * The contrastive loss with its local term, for a Trainer; `losses` are `loss`, `global` and `local`. The number of
 * shown patches is part of a graph: the session is made anew in the step in which it changes.
 */
export function createContrastiveObjective(
  options: ContrastiveOptions,
  device: DeviceOptions,
): Objective<ContrastiveBatch> {
  let current: { shownPatches: number; session: Session } | undefined;
  const sessionFor = async (shownPatches: number): Promise<Session> => {
    if (current?.shownPatches === shownPatches) return current.session;
    await current?.session.release();
    current = undefined;
    const graph = new Graph('pre-training step');
    buildContrastiveGraph(graph, options, shownPatches);
    current = { shownPatches, session: await createSession(graph.encode(), device) };
    return current.session;
  };
  return {
    async gradients(parameters, batch) {
      const feeds = { ...contrastiveFeeds(batch, options), ...parameterFeeds(parameters) };
      const session = await sessionFor(batch.shownPatches);
      try {
        const results = await session.run(feeds);
        const losses: Record<string, number> = {};
        for (const name of ['loss', 'global', 'local'])
          if (results[name]) losses[name] = Number(results[name].data[0]);
        const values = (name: string) => results[`gradient ${name}`]!.data as Float32Array;
        return { losses, gradients: new Map([...parameters.keys()].map((name) => [name, values(name)])) };
      } catch (error) {
        throw classifyRuntimeError(error, device.provider);
      }
    },
    async release() {
      await current?.session.release();
      current = undefined;
    },
  };
}
