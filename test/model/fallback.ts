/** Whether the graphs of training run on a provider alone: `node fallback.ts PROVIDER`, which prints a line per graph. */
import { resolve } from 'node:path';
import * as ort from 'onnxruntime-node';
import { openSafetensors, readFloats } from '../../data/safetensors.ts';
import { headSettingsSchema } from '../../model/clip/config.ts';
import { headShape } from '../../model/head/shape.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { buildAdamW } from '../../model/train/adamw.ts';
import { buildRankingGraph, globalInput, hiddenInput } from '../../model/ranking/rankingGraph.ts';

const [provider = 'webgpu'] = process.argv.slice(2);
const folder = resolve(import.meta.dirname, '../golden/tiny');
const { config } = openModelFolder(`${folder}/clip`);

async function check(name: string, graph: Graph): Promise<void> {
  // An op that the provider has no kernel for then fails here.
  const extra = { session: { disable_cpu_ep_fallback: '1' } };
  const session = await ort.InferenceSession.create(graph.encode(), {
    executionProviders: [provider],
    extra,
  });
  await session.release();
  console.log(`${name}: no node is left to the CPU`);
}

for (const form of ['anchored', 'residual'] as const) {
  const golden = openSafetensors(`${folder}/train-${form}.safetensors`);
  const parameters = new Map(
    [...golden.values()]
      .filter(({ name }) => name.startsWith('init.'))
      .map((entry) => [entry.name.replace(/^[a-z0-9]+\.(clip\.)?/, ''), { shape: entry.shape }]),
  );
  const graph = new Graph('training step');
  const activations = { hidden: hiddenInput(graph, config), global: globalInput(graph, config) };
  buildRankingGraph(graph, activations, {
    config,
    head: headSettingsSchema.parse({ form }),
    headShape: headShape(golden, form, 'init.head.'),
    parameters,
    trainedBlocks: readFloats(golden.get('trainable_blocks')!)[0]!,
    nodes: { count: golden.get('text')!.shape[0]!, width: 5 },
    loss: { margin: 1, scale: 10, distillation: 1 },
  });
  await check(`loss and gradients, ${form}`, graph);

  const update = new Graph('adamw');
  buildAdamW(update, parameters, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    clipNorm: 1,
    decays: () => true,
    groupOf: () => 'all',
  });
  await check(`AdamW, ${form}`, update);
}
