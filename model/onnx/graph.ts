import { Failure } from '../../data/failure.ts';
import {
  ATTRIBUTE_TYPE,
  ONNX_TYPE,
  encodeModel,
  type AttributeProto,
  type TensorProto,
  type ValueInfoProto,
} from './proto.ts';

export type DType = keyof typeof ONNX_TYPE;

/** A dimension: a known size, or the name of one that is known only when the graph runs (the batch). */
export type Dim = number | string;
export type Shape = readonly Dim[];

export type Attribute = number | string | readonly number[] | { float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

/** Where the bytes of an initializer lie in another file, as ONNX external data. */
export interface ExternalData {
  /** File name inside the folder that the session is given; neither absolute nor with `..`. */
  location: string;
  /** First byte in the file. */
  offset: number;
  /** Number of bytes. */
  length: number;
}

export interface Node {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
}

/** A value in a {@link Graph}: what an op takes and returns. It carries its shape, so that ops check theirs as they are built. */
export class Tensor {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;

  constructor(graph: Graph, name: string, dtype: DType, shape: Shape) {
    this.graph = graph;
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The size of an axis (negative counts from the end). Throws `Onnx.Shape` where it is symbolic. */
  size(axis: number): number {
    const dim = this.shape.at(axis);
    if (typeof dim !== 'number') throw shapeFailure(`axis ${axis} of ${describe(this)} has no fixed size`);
    return dim;
  }
}

/** An ONNX graph under construction. Ops (`ops.ts`) append nodes; {@link Graph.encode} writes the model file. */
export class Graph {
  readonly name: string;
  readonly nodes: Node[] = [];
  private readonly inputs: Tensor[] = [];
  private readonly outputs: { name: string; tensor: Tensor }[] = [];
  private readonly initializers: TensorProto[] = [];
  private readonly constants = new Map<string, Tensor>();
  private readonly producers = new Map<Tensor, Node>();
  private readonly stopped = new Set<Tensor>();
  private serial = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** A value that every run is fed. */
  input(name: string, dtype: DType, shape: Shape): Tensor {
    const tensor = new Tensor(this, name, dtype, shape);
    this.inputs.push(tensor);
    return tensor;
  }

  /**
   * Makes `tensor` a result of the graph, under a name of its own. The first name that a computed value gets is what it
   * is called in the model file: as an Identity's result it would be copied.
   */
  output(name: string, tensor: Tensor): void {
    const own = this.producers.has(tensor) && this.outputs.every((output) => output.tensor !== tensor);
    const result = own ? tensor : this.node('Identity', [tensor], {}, [tensor])[0]!;
    this.outputs.push({ name, tensor: result });
  }

  /** A weight whose bytes stay in another file (a safetensors checkpoint), never copied into the graph. */
  external(name: string, dtype: DType, shape: readonly number[], data: ExternalData): Tensor {
    this.initializers.push({
      name,
      dims: shape,
      dataType: ONNX_TYPE[dtype],
      dataLocation: 1,
      externalData: [
        { key: 'location', value: data.location },
        { key: 'offset', value: String(data.offset) },
        { key: 'length', value: String(data.length) },
      ],
    });
    return new Tensor(this, name, dtype, shape);
  }

  /** A constant of the graph. `values` has the product of `shape` entries, row-major. */
  constant(values: Float32Array | BigInt64Array, shape: readonly number[]): Tensor {
    const count = shape.reduce((a, b) => a * b, 1);
    if (count !== values.length)
      throw shapeFailure(`${values.length} values do not fill [${shape.join(', ')}]`);
    const dtype = values instanceof Float32Array ? 'float32' : 'int64';
    const name = this.unique('constant');
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dims: shape, dataType: ONNX_TYPE[dtype], rawData });
    return new Tensor(this, name, dtype, shape);
  }

  /** A float32 scalar, one per value and graph. */
  scalar(value: number): Tensor {
    return this.cached(`scalar ${value}`, () => this.constant(Float32Array.of(value), []));
  }

  /** An int64 vector (axes, shapes, starts), one per value and graph. */
  integers(values: readonly number[]): Tensor {
    return this.cached(`integers ${values.join(',')}`, () =>
      this.constant(BigInt64Array.from(values, BigInt), [values.length]),
    );
  }

  /** Appends a node; `results` give the type and shape of each output. */
  node(
    op: string,
    inputs: readonly Tensor[],
    attributes: Attributes,
    results: readonly { dtype: DType; shape: Shape }[],
  ): Tensor[] {
    for (const tensor of inputs) {
      if (tensor.graph !== this)
        throw shapeFailure(`${op} takes ${describe(tensor)}, which is of another graph`);
    }
    const name = this.unique(op);
    const outputs = results.map(({ dtype, shape }, i) => new Tensor(this, `${name}:${i}`, dtype, shape));
    const node: Node = { op, name, inputs, outputs, attributes };
    this.nodes.push(node);
    for (const output of outputs) this.producers.set(output, node);
    return outputs;
  }

  /** The node that computes a value; undefined for inputs and constants. */
  producerOf(tensor: Tensor): Node | undefined {
    return this.producers.get(tensor);
  }

  /** Marks a value as one that no gradient flows through, and returns it. */
  stop(tensor: Tensor): Tensor {
    this.stopped.add(tensor);
    return tensor;
  }

  isStopped(tensor: Tensor): boolean {
    return this.stopped.has(tensor);
  }

  /** The nodes that a result depends on; ONNX Runtime would run the others too. */
  neededNodes(): Node[] {
    const needed = new Set<Tensor>(this.outputs.map(({ tensor }) => tensor));
    const nodes = [...this.nodes].reverse().filter(({ inputs, outputs }) => {
      if (!outputs.some((output) => needed.has(output))) return false;
      for (const input of inputs) needed.add(input);
      return true;
    });
    return nodes.reverse();
  }

  /** The graph as the bytes of an ONNX model file, without what no result depends on. */
  encode(): Uint8Array {
    const results = new Map(this.outputs.map(({ name, tensor }) => [tensor, name]));
    const nameOf = (tensor: Tensor): string => results.get(tensor) ?? tensor.name;
    return encodeModel({
      name: this.name,
      node: this.neededNodes().map((node) => ({
        name: node.name,
        opType: node.op,
        input: node.inputs.map(nameOf),
        output: node.outputs.map(nameOf),
        attribute: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
      })),
      initializer: this.initializers,
      input: this.inputs.map((tensor) => valueInfo(tensor.name, tensor)),
      output: this.outputs.map(({ name, tensor }) => valueInfo(name, tensor)),
    });
  }

  private unique(prefix: string): string {
    return `${prefix}_${this.serial++}`;
  }

  private cached(key: string, make: () => Tensor): Tensor {
    let tensor = this.constants.get(key);
    if (!tensor) this.constants.set(key, (tensor = make()));
    return tensor;
  }
}

export function shapeFailure(message: string): Failure {
  return new Failure('Onnx.Shape', message);
}

export function describe(tensor: Tensor): string {
  return `${tensor.name} ${tensor.dtype}[${tensor.shape.join(', ')}]`;
}

function valueInfo(name: string, tensor: Tensor): ValueInfoProto {
  const dim = tensor.shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: ONNX_TYPE[tensor.dtype], shape: { dim } } } };
}

function attribute(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'string')
    return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.int, i: value };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: value };
}
