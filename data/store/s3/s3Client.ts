import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { Slots } from './slots.ts';

export interface S3Options {
  /** Environment for the settings below. Default `process.env`; credentials in any other are used as given. */
  env?: Record<string, string | undefined>;
  /** Server other than AWS's. Default AWS_ENDPOINT_URL_S3, then AWS_ENDPOINT_URL, then the AWS configuration files. */
  endpoint?: string;
  /** Default AWS_REGION, AWS_DEFAULT_REGION, the AWS configuration files, `us-east-1`. */
  region?: string;
  /** Bucket in the path, not the host name. Default C2SRT_S3_PATH_STYLE, else true where an endpoint is set. */
  pathStyle?: boolean;
  /** Connections at once per client. Default 64. */
  maxSockets?: number;
  /** Tries per request, with growing pauses. Default 5. */
  maxAttempts?: number;
  /** Requests without a signature, as public buckets take them: no credentials are looked for. Default false. */
  unsigned?: boolean;
  /** Agrees to pay for requests to requester-pays buckets. Default false. */
  requesterPays?: boolean;
  /** Longest silence on a connection before a request counts as lost, in milliseconds. Default 60,000. */
  idleTimeoutMs?: number;
}

/** A client and the limit of what may be under way on it: the SDK counts waiting for a socket as connecting. */
export interface S3Connection {
  readonly client: S3Client;
  readonly slots: Slots;
  /** Has the next requests read credentials anew: those of a file, whose end the SDK cannot know, it keeps for good. */
  renew(): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A signer that signs nothing, and credentials so that none are looked for. */
const UNSIGNED: S3ClientConfig = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: (request) => Promise.resolve(request) },
};
const connections = new Map<string, S3Connection>();
const sent: Record<string, number> = {};

/** How many requests this process has sent so far by operation, as `GetObject`; repeated ones count again. */
export const sentRequests = (): Readonly<Record<string, number>> => ({ ...sent });

/** The connection for these options. Stores with the same options share one, its sockets and its credentials. */
export function s3Connection(options: S3Options = {}): S3Connection {
  const settings = settingsOf(options);
  const id = JSON.stringify(settings);
  let connection = connections.get(id);
  if (connection === undefined) {
    connection = connect(settings);
    connections.set(id, connection);
  }
  return connection;
}

function connect(settings: Settings): S3Connection {
  const config = clientConfig(settings);
  let client = countingClient(config);
  let isStale = false;
  return {
    slots: new Slots(settings.maxSockets),
    get client() {
      if (!isStale) return client;
      isStale = false;
      // The handler keeps its sockets; only what is read of files is read again.
      const { requestHandler } = client.config;
      client = countingClient({
        ...config,
        requestHandler,
        credentials: fromNodeProviderChain({ ignoreCache: true }),
      });
      return client;
    },
    renew() {
      isStale = config.credentials === undefined;
    },
  };
}

function countingClient(config: S3ClientConfig): S3Client {
  const client = new S3Client(config);
  // Behind the SDK's own repetition, so that every request is one.
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (request) => {
        const operation = commandName.replace(/Command$/, '');
        sent[operation] = (sent[operation] ?? 0) + 1;
        return next(request);
      },
    { name: 'countRequests', step: 'finalizeRequest', priority: 'low' },
  );
  return client;
}

type Settings = ReturnType<typeof settingsOf>;

function settingsOf(options: S3Options) {
  const env = options.env ?? process.env;
  const text = (name: string) => (env[name] === '' ? undefined : env[name]);
  const endpoint = options.endpoint ?? text('AWS_ENDPOINT_URL_S3') ?? text('AWS_ENDPOINT_URL');
  const pathStyle = text('C2SRT_S3_PATH_STYLE');
  const keyId = options.env === undefined ? undefined : text('AWS_ACCESS_KEY_ID');
  return {
    endpoint,
    region: options.region ?? text('AWS_REGION') ?? text('AWS_DEFAULT_REGION'),
    pathStyle:
      options.pathStyle ??
      (pathStyle === undefined ? endpoint !== undefined : /^(1|true|yes)$/i.test(pathStyle)),
    maxSockets: options.maxSockets ?? 64,
    maxAttempts: options.maxAttempts ?? 5,
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
    unsigned: options.unsigned ?? false,
    credentials:
      keyId === undefined
        ? undefined
        : {
            accessKeyId: keyId,
            secretAccessKey: text('AWS_SECRET_ACCESS_KEY') ?? '',
            ...optional('sessionToken', text('AWS_SESSION_TOKEN')),
          },
  };
}

function clientConfig(settings: Settings): S3ClientConfig {
  const agent = { keepAlive: true, maxSockets: Infinity, maxFreeSockets: settings.maxSockets };
  return {
    region: settings.region ?? configuredRegion,
    ...optional('endpoint', settings.endpoint),
    ...(settings.unsigned ? UNSIGNED : optional('credentials', settings.credentials)),
    forcePathStyle: settings.pathStyle,
    followRegionRedirects: true,
    retryMode: 'standard',
    maxAttempts: settings.maxAttempts,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: settings.idleTimeoutMs,
    },
  };
}

/** The region of the AWS configuration files, which only a client without one asks for. */
async function configuredRegion(): Promise<string> {
  try {
    return await new S3Client({}).config.region();
  } catch {
    return 'us-east-1';
  }
}

function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, V>);
}
