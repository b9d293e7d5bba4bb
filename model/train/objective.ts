import type { Parameters } from './parameters.ts';

/** Loss and gradients of a batch. */
export interface StepGradients {
  /** `loss` and the parts that it is made of, by name: means over the batch's images. */
  losses: Record<string, number>;
  gradients: Map<string, Float32Array>;
}

/** What a training minimises. */
export interface Objective<Batch> {
  /** Loss and gradients of a batch at these parameters. Throws `Device.OutOfMemory`. */
  gradients(parameters: Parameters, batch: Batch): Promise<StepGradients>;
  release(): Promise<void>;
}
