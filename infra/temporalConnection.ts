import { readFile } from 'node:fs/promises';
import { Connection } from '@temporalio/client';
import { Failure, messageOf } from '../data/failure.ts';

/** What `Connection.connect` of the client and `NativeConnection.connect` of the worker both take. */
export interface TemporalConnectionOptions {
  /** `host:port`. */
  address: string;
  /** Absent: no TLS. */
  tls?: TemporalTls | true;
  apiKey?: string;
  metadata?: Record<string, string>;
}

/** Certificates and keys in PEM. */
export interface TemporalTls {
  serverNameOverride?: string;
  serverRootCACertificate?: Buffer;
  clientCertPair?: { crt: Buffer; key: Buffer };
}

/** Where to find Temporal, as the environment says it. */
export interface TemporalEnvironment {
  connection: TemporalConnectionOptions;
  /** Default `default`. */
  namespace: string;
}

/**
 * Reads the environment variables that Temporal's own tools and SDKs share; undefined without TEMPORAL_ADDRESS, which
 * means the local server.
 *
 * - `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`
 * - `TEMPORAL_TLS`: `true` or `false`. Default: on with an API key or any of the following.
 * - `TEMPORAL_TLS_CLIENT_CERT_PATH`, `TEMPORAL_TLS_CLIENT_KEY_PATH`, `TEMPORAL_TLS_SERVER_CA_CERT_PATH`, and the same
 *   with `_DATA` for the PEM text itself
 * - `TEMPORAL_TLS_SERVER_NAME`
 * - `TEMPORAL_GRPC_META_<NAME>`: a header `<name>` (`_` becomes `-`) sent with each request
 *
 * Temporal's `temporal.toml` profiles are not read: whether a command uses the local server must not depend on a file
 * outside the project.
 *
 * @throws Failure `Setup.TemporalOptions`, whose subject is the variable, for values that cannot be used.
 */
export async function temporalConnection(env: NodeJS.ProcessEnv): Promise<TemporalEnvironment | undefined> {
  const address = value(env, 'TEMPORAL_ADDRESS');
  if (address === undefined) return undefined;
  if (!/^([^\s:/]+|\[[0-9a-fA-F:.]+\]):\d+$/.test(address)) {
    throw refusal('TEMPORAL_ADDRESS', `is ${JSON.stringify(address)}, which is not HOST:PORT`);
  }
  const apiKey = value(env, 'TEMPORAL_API_KEY');
  const tls = await readTls(env, apiKey !== undefined);
  const metadata = readMetadata(env);
  return {
    connection: {
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    },
    namespace: value(env, 'TEMPORAL_NAMESPACE') ?? 'default',
  };
}

/**
 * Connects to Temporal and makes sure that the namespace is there.
 *
 * @param timeoutMs how long to try.
 * @throws Failure `Setup.TemporalUnreachable` naming the address, `Setup.TemporalRefused` (its credentials are wrong),
 *   `Setup.TemporalNamespace` (there is no such namespace).
 */
export async function connectTemporal(
  { connection: options, namespace }: TemporalEnvironment,
  timeoutMs = 10_000,
): Promise<Connection> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ ...options, connectTimeout: timeoutMs });
    const { workflowService } = connection;
    await connection.withDeadline(Date.now() + timeoutMs, () =>
      workflowService.describeNamespace({ namespace }),
    );
    return connection;
  } catch (error) {
    await connection?.close();
    throw classify(error, options.address, namespace);
  }
}

/** gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

function classify(error: unknown, address: string, namespace: string): Failure {
  const status = (error as { code?: unknown }).code;
  if (status === NOT_FOUND) {
    return new Failure('Setup.TemporalNamespace', `Temporal at ${address} has no namespace "${namespace}"`, {
      subject: namespace,
      hint: 'Create the namespace, or set TEMPORAL_NAMESPACE to one that exists.',
      cause: error,
    });
  }
  if (status === PERMISSION_DENIED || status === UNAUTHENTICATED) {
    return new Failure(
      'Setup.TemporalRefused',
      `Temporal at ${address} refuses access to namespace "${namespace}": ${messageOf(error)}`,
      {
        subject: address,
        hint: 'Check TEMPORAL_API_KEY, or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.',
        cause: error,
      },
    );
  }
  return new Failure('Setup.TemporalUnreachable', `Temporal at ${address} does not answer`, {
    subject: address,
    hint:
      'Check TEMPORAL_ADDRESS and the TLS settings, and that the server runs; ' +
      'without TEMPORAL_ADDRESS a local server is used.',
    retryable: true,
    cause: error,
  });
}

async function readTls(env: NodeJS.ProcessEnv, byDefault: boolean): Promise<TemporalTls | true | undefined> {
  const crt = await readPem(env, 'TEMPORAL_TLS_CLIENT_CERT');
  const key = await readPem(env, 'TEMPORAL_TLS_CLIENT_KEY');
  const authority = await readPem(env, 'TEMPORAL_TLS_SERVER_CA_CERT');
  const serverName = value(env, 'TEMPORAL_TLS_SERVER_NAME');
  if ((crt === undefined) !== (key === undefined)) {
    const present = crt === undefined ? 'TEMPORAL_TLS_CLIENT_KEY_PATH' : 'TEMPORAL_TLS_CLIENT_CERT_PATH';
    throw refusal(present, 'is set without its counterpart: a client certificate needs its key');
  }
  const tls: TemporalTls = {
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
    ...(authority === undefined ? {} : { serverRootCACertificate: authority }),
    ...(crt === undefined || key === undefined ? {} : { clientCertPair: { crt, key } }),
  };
  const detailed = Object.keys(tls).length > 0;
  if (!(readFlag(env, 'TEMPORAL_TLS') ?? (detailed || byDefault))) return undefined;
  return detailed ? tls : true;
}

/** The PEM text of `<name>_PATH` or `<name>_DATA`. */
async function readPem(env: NodeJS.ProcessEnv, name: string): Promise<Buffer | undefined> {
  const path = value(env, `${name}_PATH`);
  const data = value(env, `${name}_DATA`);
  if (path !== undefined && data !== undefined)
    throw refusal(`${name}_PATH`, `is set, and so is ${name}_DATA`);
  if (data !== undefined) return Buffer.from(data);
  if (path === undefined) return undefined;
  return await readFile(path).catch((cause: unknown) => {
    throw refusal(`${name}_PATH`, `is ${path}, which cannot be read: ${messageOf(cause)}`);
  });
}

function readFlag(env: NodeJS.ProcessEnv, name: string): boolean | undefined {
  const text = value(env, name)?.toLowerCase();
  if (text === undefined) return undefined;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw refusal(name, `is ${JSON.stringify(text)}, which is neither true nor false`);
}

function readMetadata(env: NodeJS.ProcessEnv): Record<string, string> {
  const prefix = 'TEMPORAL_GRPC_META_';
  const metadata: Record<string, string> = {};
  for (const name of Object.keys(env)) {
    const text = value(env, name);
    if (!name.startsWith(prefix) || text === undefined) continue;
    metadata[name.slice(prefix.length).toLowerCase().replaceAll('_', '-')] = text;
  }
  return metadata;
}

/** A variable that is set but empty counts as not set. */
function value(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function refusal(variable: string, problem: string): Failure {
  return new Failure('Setup.TemporalOptions', `${variable} ${problem}`, {
    subject: variable,
    hint: `Correct or unset ${variable}.`,
  });
}
