/** A gateway for tests: the contract's service over real gRPC on a Unix socket, each method scripted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import * as grpc from '@grpc/grpc-js';

import { Client, type ClientOptions } from '../src/index.js';
import {
  type GatewayServiceServer,
  GatewayServiceService,
  StreamGenerateResponse,
} from '../src/v1.js';

/** Serves `methods` until the test ends; other methods are UNIMPLEMENTED. */
export async function serving(
  test: TestContext,
  methods: Partial<GatewayServiceServer>,
  options: ClientOptions = {},
): Promise<Client> {
  const directory = mkdtempSync(join(tmpdir(), 'interlingua-'));
  const address = `unix:${join(directory, 'socket')}`;
  const server = new grpc.Server();
  server.addService(GatewayServiceService, methods as GatewayServiceServer);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
  const client = new Client(address, options);
  test.after(() => {
    client.close();
    server.forceShutdown();
    rmSync(directory, { recursive: true });
  });
  return client;
}

type Event = NonNullable<StreamGenerateResponse['event']>;

/** The events of an answer, numbered. */
export function numbered(...events: (Event | [number, Event])[]): StreamGenerateResponse[] {
  return events.map((given, i) => {
    const [candidateIndex, event] = Array.isArray(given) ? given : [0, given];
    return { sequence: BigInt(i), candidateIndex, event };
  });
}

/** A status with details as the gateway sends it. */
export function failing(
  code: grpc.status,
  details: string,
  packed?: Uint8Array,
): grpc.ServiceError {
  const metadata = new grpc.Metadata();
  if (packed) metadata.set('grpc-status-details-bin', Buffer.from(packed));
  return Object.assign(new Error(details), { code, details, metadata });
}
