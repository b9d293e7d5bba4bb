import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { connectTemporal, temporalConnection } from '../../infra/temporalConnection.ts';
import { findTemporal } from '../../infra/temporalProgram.ts';

const TEMPORAL_ADDRESS = 'temporal.example:7233';
let dir: string;
let temporal: LocalTemporal;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-temporal-'));
  for (const name of ['ca', 'crt', 'key']) await writeFile(join(dir, name), name);
  const program = await findTemporal((line) => process.stdout.write(`${line}\n`));
  temporal = await startOrAttachTemporal({ dir, program });
});
afterAll(async () => {
  await temporal.stop();
  await rm(dir, { recursive: true });
});

test('without an address there is nothing to connect to', async () => {
  expect(await temporalConnection({ TEMPORAL_NAMESPACE: 'x', TEMPORAL_ADDRESS: ' ' })).toBeUndefined();
});

test('an address alone is plain text and the default namespace', async () => {
  expect(await temporalConnection({ TEMPORAL_ADDRESS })).toEqual({
    connection: { address: TEMPORAL_ADDRESS },
    namespace: 'default',
  });
});

test('an API key means TLS, unless it is switched off', async () => {
  const env = { TEMPORAL_ADDRESS, TEMPORAL_API_KEY: 'secret', TEMPORAL_NAMESPACE: 'team.a1' };
  expect(await temporalConnection(env)).toEqual({
    connection: { address: TEMPORAL_ADDRESS, apiKey: 'secret', tls: true },
    namespace: 'team.a1',
  });
  expect((await temporalConnection({ ...env, TEMPORAL_TLS: 'false' }))?.connection.tls).toBeUndefined();
});

test('certificates are read from files or given as text', async () => {
  const found = await temporalConnection({
    TEMPORAL_ADDRESS,
    TEMPORAL_TLS_CLIENT_CERT_PATH: join(dir, 'crt'),
    TEMPORAL_TLS_CLIENT_KEY_DATA: 'key as text',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(dir, 'ca'),
    TEMPORAL_TLS_SERVER_NAME: 'inner.example',
    TEMPORAL_GRPC_META_X_ROUTE_TO: 'blue',
  });
  expect(found?.connection).toEqual({
    address: TEMPORAL_ADDRESS,
    tls: {
      serverNameOverride: 'inner.example',
      serverRootCACertificate: Buffer.from('ca'),
      clientCertPair: { crt: Buffer.from('crt'), key: Buffer.from('key as text') },
    },
    metadata: { 'x-route-to': 'blue' },
  });
});

test.each([
  [{ TEMPORAL_ADDRESS: 'temporal.example' }, 'TEMPORAL_ADDRESS'],
  [{ TEMPORAL_ADDRESS: 'http://temporal.example:7233' }, 'TEMPORAL_ADDRESS'],
  [{ TEMPORAL_TLS: 'maybe' }, 'TEMPORAL_TLS'],
  [{ TEMPORAL_TLS_CLIENT_CERT_DATA: 'crt' }, 'TEMPORAL_TLS_CLIENT_CERT_PATH'],
  [{ TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere/ca' }, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  [
    { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/a', TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'b' },
    'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  ],
])('%o is refused', async (env, subject) => {
  await expect(temporalConnection({ TEMPORAL_ADDRESS, ...env })).rejects.toMatchObject({
    code: 'Setup.TemporalOptions',
    subject,
  });
});

test('a server that answers is connected to', async () => {
  const env = (await temporalConnection({ TEMPORAL_ADDRESS: temporal.address }))!;
  const connection = await connectTemporal(env);
  expect((await connection.workflowService.getSystemInfo({})).serverVersion).toMatch(/^\d+\./);
  await connection.close();
});

test('a namespace that is not there is named', async () => {
  const env = { connection: { address: temporal.address }, namespace: 'elsewhere' };
  await expect(connectTemporal(env)).rejects.toMatchObject({
    code: 'Setup.TemporalNamespace',
    message: expect.stringContaining('elsewhere') as string,
  });
});

test.each([
  ['where nobody listens', false],
  ['where something else listens', true],
])('an address %s is unreachable', async (_, silent) => {
  const listener = createServer();
  await new Promise<void>((listening) => listener.listen(0, '127.0.0.1', listening));
  const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  if (!silent) await new Promise((closed) => listener.close(closed));
  try {
    await expect(
      connectTemporal({ connection: { address }, namespace: 'default' }, 500),
    ).rejects.toMatchObject({
      code: 'Setup.TemporalUnreachable',
      message: expect.stringContaining(address) as string,
      retryable: true,
    });
  } finally {
    listener.close();
  }
});
