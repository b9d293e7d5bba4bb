/**
 * Trains and scores on the benchmark world in one process, with the parts that `c2srt train` is made of: the same
 * activations, first parameters, batches, gradients and optimiser, without a server and folders between them. What the
 * rows of the study share, a run's activations above all, is computed once.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createImageLoader } from '../../activities/train/features/imageLoader.ts';
import { computedActivations } from '../../activities/train/features/activationSource.ts';
import type { TrainSettings } from '../../data/config/trainSchema.ts';
import { settingsSchema } from '../../data/config/schema.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { openStore } from '../../data/store/open.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import { parseTruth } from '../../data/world/truthRow.ts';
import { WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import { activationShape } from '../../model/ranking/activations.ts';
import { headSettings, headShapeOf, microBatchOf, startParameters } from '../../model/ranking/start.ts';
import { initialState } from '../../model/train/adamw.ts';
import { batchRows, stepsPerEpoch } from '../../model/train/dataOrder.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import { rateShare } from '../../model/train/schedule.ts';
import { openDevice, type Device } from '../../workers/device.ts';

/** The last blocks of the encoder that every row trains. */
const TRAINED_BLOCKS = 1;

/** Scenes with their truth, as the head is given them. */
export interface Scenes {
  /** N */
  images: number;
  /** Bits of float16 [N, T, width]. */
  hidden: Uint16Array;
  /** [N, d] */
  global: Float32Array;
  /** [N] indices of the categories that are there, ascending, seen or not. */
  present: readonly (readonly number[])[];
}

/** A model to train or to score with: settings, and the graph of which only edges between its categories count. */
export interface Subject {
  settings: TrainSettings;
  /** Indices of the categories, ascending. */
  categories: readonly number[];
  /** Edges among all categories. */
  edges: readonly IndexedEdge[];
}

export class Lab {
  private readonly device: Device;
  private readonly model: ModelFolder;
  private readonly text: Float32Array;
  private trainings = 0;

  private constructor(device: Device, model: ModelFolder, text: Float32Array) {
    this.device = device;
    this.model = model;
    this.text = text;
  }

  /** @param modelFolder a CLIP checkpoint folder. */
  static async open(modelFolder: string): Promise<Lab> {
    const device = openDevice(settingsSchema.parse({}));
    const model = openModelFolder(modelFolder);
    const text = await device.inference.encodeCategories(
      model,
      WORLD_CATEGORIES.map(({ name }) => ({ name, aliases: [] })),
    );
    return new Lab(device, model, text);
  }

  close(): Promise<void> {
    return this.device.close();
  }

  /** Scenes of a folder that `c2srt world make` filled. */
  async scenes(folder: string): Promise<Scenes> {
    const { model, device } = this;
    const index = new Map(WORLD_CATEGORIES.map(({ name }, i) => [name, i]));
    const parts = (await readdir(join(folder, 'truth'))).sort();
    const truth = (
      await Promise.all(parts.map((part) => readFile(join(folder, 'truth', part), 'utf8')))
    ).flatMap((text) => parseTruth(text));
    const encoder = await device.inference.training.activationEncoder('study', model, TRAINED_BLOCKS);
    const side = model.preprocess.cropSize;
    const loader = createImageLoader({
      openStore,
      decoder: device.dependencies.decoder(model.preprocess, DEFAULT_IMAGE_LIMITS),
      imageSide: side,
      maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes,
      concurrency: device.dependencies.concurrency,
    });
    const source = computedActivations(loader, encoder, activationShape(model), side * side * 3);
    const images = truth.map(({ uri }) => ({ uri: pathToFileURL(join(folder, uri)).href, present: [], absent: null }));
    const { hidden, global, failed } = await source.read([], images, new AbortController().signal);
    await encoder.release();
    if (failed.size > 0) throw new Error(`${failed.size} scenes of ${folder} could not be read`);
    return {
      images: truth.length,
      hidden,
      global,
      present: truth.map(({ labels }) => labels.map((name) => index.get(name)!)),
    };
  }

  /** The parameters that a training would start from. */
  untrained(settings: TrainSettings): Parameters {
    const { config } = this.model;
    return startParameters(this.model, settings, headShapeOf(settings, config.projection_dim));
  }

  /** The parameters after all steps of a training. */
  async train(scenes: Scenes, subject: Subject): Promise<Parameters> {
    const { settings, categories } = subject;
    const { model } = this;
    const own = this.own(subject);
    const headShape = headShapeOf(settings, model.config.projection_dim);
    const parameters = this.untrained(settings);
    const order = { images: scenes.images, shards: 1, batchSize: settings.batchSize, seed: settings.seed };
    const steps = settings.epochs * stepsPerEpoch(order);
    const rowsOf = batchRows(order, 0);
    const place = new Map(categories.map((category, i) => [category, i]));
    const training = await this.device.inference.training.startTraining(
      `study ${this.trainings++}`,
      {
        kind: 'ranking',
        options: {
          config: model.config,
          head: headSettings(settings),
          headShape,
          trainedBlocks: TRAINED_BLOCKS,
          parameters: new Map([...parameters].map(([name, { shape }]) => [name, { shape }])),
          ...own,
          loss: settings,
          maxCategories: settings.maxCategories,
          microBatch: microBatchOf(model, settings, headShape, categories.length, own.edges),
        },
        optimiser: settings,
      },
      initialState(parameters),
    );
    try {
      for (let step = 0; step < steps; step++) {
        const share = rateShare(step, {
          kind: settings.schedule,
          warmupSteps: Math.min(settings.warmupSteps, steps / 4),
          steps,
        });
        const rows = [...rowsOf(step)];
        const labels = rows.map((row) => ({
          present: scenes.present[row]!.map((category) => place.get(category)).filter(
            (at) => at !== undefined,
          ),
          absent: null,
        }));
        await training.step(
          { ...this.activations(scenes, rows), labels, sample: [settings.seed, 0, step] },
          { encoder: settings.encoderRate * share, head: settings.headRate * share },
        );
      }
      return (await training.state()).parameters;
    } finally {
      await training.release();
    }
  }

  /** Scores of the subject's categories, [N, C]. */
  async score(scenes: Scenes, subject: Subject, parameters: Parameters): Promise<Float32Array> {
    const { settings, categories } = subject;
    const { model } = this;
    const scorer = await this.device.inference.training.scorer(
      {
        config: model.config,
        head: headSettings(settings),
        headShape: headShapeOf(settings, model.config.projection_dim),
        trainedBlocks: TRAINED_BLOCKS,
        ...this.own(subject),
      },
      parameters,
    );
    const scores = new Float32Array(scenes.images * categories.length);
    try {
      for (let from = 0; from < scenes.images; from += scorer.batchSize) {
        const to = Math.min(scenes.images, from + scorer.batchSize);
        const rows = Array.from({ length: to - from }, (_, i) => from + i);
        scores.set(await scorer.run(this.activations(scenes, rows).hidden), from * categories.length);
      }
    } finally {
      await scorer.release();
    }
    return scores;
  }

  /** Text and edges of a subject's categories, by their places among them. */
  private own({ categories, edges }: Subject): { text: Float32Array; edges: IndexedEdge[] } {
    const d = this.model.config.projection_dim;
    const text = new Float32Array(categories.length * d);
    for (const [at, category] of categories.entries())
      text.set(this.text.subarray(category * d, (category + 1) * d), at * d);
    const place = new Map(categories.map((category, at) => [category, at]));
    return {
      text,
      edges: edges.flatMap((edge) => {
        const [source, target] = [place.get(edge.source), place.get(edge.target)];
        return source === undefined || target === undefined ? [] : [{ ...edge, source, target }];
      }),
    };
  }

  private activations(scenes: Scenes, rows: readonly number[]) {
    const { tokens, width, d } = activationShape(this.model);
    const hidden = new Uint16Array(rows.length * tokens * width);
    const global = new Float32Array(rows.length * d);
    for (const [at, row] of rows.entries()) {
      hidden.set(scenes.hidden.subarray(row * tokens * width, (row + 1) * tokens * width), at * tokens * width);
      global.set(scenes.global.subarray(row * d, (row + 1) * d), at * d);
    }
    return { hidden, global };
  }
}
