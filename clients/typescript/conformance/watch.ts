/** The operation `watch`: grpc.health.v1, of which the runner needs one field. */
import { setTimeout as sleep } from 'node:timers/promises';

import { BinaryReader } from '@bufbuild/protobuf/wire';
import * as grpc from '@grpc/grpc-js';

const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** Statuses of the whole server as `Watch` of grpc.health.v1 sends them, first message: field 1. */
function watchStatuses(client: grpc.Client): grpc.ClientReadableStream<string> {
  return client.makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    () => Buffer.alloc(0),
    (bytes) => {
      const reader = new BinaryReader(bytes);
      return STATUSES[bytes.length === 0 ? 0 : (reader.tag(), reader.int32())] ?? 'UNKNOWN';
    },
    undefined,
  );
}

async function firstStatus(client: grpc.Client): Promise<string | undefined> {
  for (let tries = 0; tries < 10; tries++) {
    const statuses = watchStatuses(client).on('error', () => undefined);
    try {
      for await (const status of statuses as AsyncIterable<string>) return status;
    } catch (error) {
      if ((error as grpc.ServiceError).code !== grpc.status.UNAVAILABLE) throw error;
      await sleep(200);
    } finally {
      statuses.cancel();
    }
  }
  return undefined;
}

/** Watches until the stream ends, then once more; pauses as `watching` after the first status. */
export async function watch(
  address: string,
  pause: (name: string) => Promise<void>,
): Promise<{ statuses: string[]; again: string | undefined }> {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const statuses: string[] = [];
  try {
    for await (const status of watchStatuses(client) as AsyncIterable<string>) {
      statuses.push(status);
      if (statuses.length === 1) await pause('watching');
    }
  } catch {
    // The gateway ends the watch, with an error or without.
  }
  const again = await firstStatus(client);
  client.close();
  return { statuses, again };
}
