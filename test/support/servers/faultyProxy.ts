import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What happens to a request; `pass` where nothing does. */
export type Fault =
  | 'pass'
  /** The server handles it, and its answer is lost with the connection. */
  | 'loseAnswer'
  /** The connection breaks after the first part of the answer. */
  | 'breakBody'
  /** Nothing of it reaches the server, and no answer comes, until the client gives up. */
  | 'hold'
  | { status: number; headers?: Record<string, string>; body?: string };

export interface FaultyProxy {
  endpoint: string;
  /** Decides about each request by its first line, as `PUT /bucket/key HTTP/1.1`, and by its head. */
  fault: (requestLine: string, head: string) => Fault;
  /** The clock that the server's own answers tell, where it is another's than this machine's. */
  clock?: () => Date;
  /** First lines of the requests so far. */
  requests: string[];
  stop: () => Promise<void>;
}

/** A TCP proxy in front of a local HTTP server that does not survive every request. Requests are told by their start. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  const proxy: FaultyProxy = {
    endpoint: '',
    fault: () => 'pass',
    requests: [],
    stop: () => Promise.resolve(),
  };
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let fault: Fault = 'pass';
    client.on('data', (data) => {
      const text = data.toString('latin1');
      const line = /^(?:GET|PUT|HEAD|POST|DELETE) [^\r\n]*/.exec(text)?.[0];
      if (line !== undefined) {
        proxy.requests.push(line);
        fault = proxy.fault(line, text.split('\r\n\r\n')[0]!);
      }
      if (typeof fault === 'object') client.end(answerOf(fault));
      else if (fault !== 'hold') upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (fault === 'loseAnswer') client.resetAndDestroy();
      else if (fault === 'breakBody') client.write(data.subarray(0, 2000), () => client.resetAndDestroy());
      else client.write(proxy.clock === undefined ? data : toldBy(proxy.clock(), data));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy.stop = async () => {
    const closed = new Promise<void>((settle) => server.close(() => settle()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return proxy;
}

/** What came from the server, with another date where it is the head of an answer. */
function toldBy(date: Date, data: Buffer): Buffer {
  const text = data.toString('latin1');
  if (!text.startsWith('HTTP/1.1 ')) return data;
  return Buffer.from(text.replace(/^Date: .*$/im, `Date: ${date.toUTCString()}`), 'latin1');
}

function answerOf({ status, headers = {}, body = '' }: Exclude<Fault, string>): string {
  const lines = Object.entries({
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...headers,
  });
  return [`HTTP/1.1 ${status} x`, ...lines.map(([name, value]) => `${name}: ${value}`), '', body].join(
    '\r\n',
  );
}
