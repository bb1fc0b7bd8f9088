import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as grpc from '@grpc/grpc-js';

import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from '../src/gen/google/rpc/error_details.js';
import { Status } from '../src/gen/google/rpc/status.js';
import { SERVICE_CONFIG } from '../src/gen/service_config.js';
import { Client, GenerateResult, InterlinguaError, duration } from '../src/index.js';
import {
  EmbedResponse,
  type GatewayServiceServer,
  GenerateRequest,
  GenerateResponse,
} from '../src/v1.js';
import { failing, serving } from './gateway.js';

type Unary = GatewayServiceServer['generate'];

const answer: Unary = (_, callback) => {
  callback(null, GenerateResponse.create());
};

function packed(name: string, value: Uint8Array) {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value };
}

test('an error tells all that the gateway sent', async (t) => {
  const details = [
    packed(
      'ErrorInfo',
      ErrorInfo.encode({
        reason: 'ERROR_REASON_RATE_LIMITED',
        domain: 'interlingua',
        metadata: { operation_id: '01J', limit: 'rpm' },
      }).finish(),
    ),
    packed('RetryInfo', RetryInfo.encode({ retryDelay: duration(1500.5) }).finish()),
    packed(
      'BadRequest',
      BadRequest.encode(
        BadRequest.fromPartial({ fieldViolations: [{ field: 'model', description: 'no' }] }),
      ).finish(),
    ),
    packed(
      'QuotaFailure',
      QuotaFailure.encode(
        QuotaFailure.fromPartial({ violations: [{ subject: 'rpm', description: '60' }] }),
      ).finish(),
    ),
    packed(
      'PreconditionFailure',
      PreconditionFailure.encode(
        PreconditionFailure.fromPartial({ violations: [{ subject: 'pii', description: 'x' }] }),
      ).finish(),
    ),
    packed(
      'ResourceInfo',
      ResourceInfo.encode(
        ResourceInfo.fromPartial({ resourceType: 'model', resourceName: 'gpt' }),
      ).finish(),
    ),
    packed('Help', Uint8Array.of(255, 255)),
  ];
  const status = Status.encode({ code: 8, message: 'Too many.', details }).finish();
  const client = await serving(t, {
    generate: (_, callback) => {
      callback(failing(grpc.status.RESOURCE_EXHAUSTED, 'Too many.', status));
    },
  });
  const error: unknown = await client.generate('Hello').catch((error: unknown) => error);
  assert.ok(error instanceof InterlinguaError);
  assert.equal(error.message, 'Too many.');
  assert.equal(error.code, 'RESOURCE_EXHAUSTED');
  assert.equal(error.reason, 'ERROR_REASON_RATE_LIMITED');
  assert.equal(error.retryDelayMs, 1500.5);
  assert.equal(error.operationId, '01J');
  assert.deepEqual(error.metadata, { operation_id: '01J', limit: 'rpm' });
  assert.deepEqual(error.resource, { type: 'model', name: 'gpt' });
  assert.deepEqual(error.violations, [
    { subject: 'model', description: 'no' },
    { subject: 'rpm', description: '60' },
    { subject: 'pii', description: 'x' },
  ]);
});

test('details that cannot be read do not hide the status', async (t) => {
  const client = await serving(t, {
    generate: (_, callback) => {
      callback(failing(grpc.status.INTERNAL, 'Broken.', Uint8Array.of(255, 255, 255)));
    },
  });
  await assert.rejects(client.generate('Hello'), { code: 'INTERNAL', reason: '', violations: [] });
});

test('UNAVAILABLE before any answer is repeated, INTERNAL is not', async (t) => {
  let calls = 0;
  const fail = (code: grpc.status, times: number): Unary => {
    return (call, callback) => {
      if (++calls <= times) callback(failing(code, 'not now'));
      else answer(call, callback);
    };
  };
  let client = await serving(t, { generate: fail(grpc.status.UNAVAILABLE, 2) });
  await client.generate('Hello');
  assert.equal(calls, 3);
  calls = 0;
  client = await serving(t, { generate: fail(grpc.status.INTERNAL, 2) });
  await assert.rejects(client.generate('Hello'), { code: 'INTERNAL' });
  assert.equal(calls, 1);
});

test('the service config is the one that all clients share', () => {
  const shared = new URL('../../../service_config.json', import.meta.url);
  assert.deepEqual(JSON.parse(SERVICE_CONFIG), JSON.parse(readFileSync(shared, 'utf8')));
});

test('credentials, trace context and metadata go out with each call', async (t) => {
  const seen: grpc.MetadataValue[][] = [];
  const generate: Unary = (call, callback) => {
    const keys = ['authorization', 'traceparent', 'tracestate', 'x-own', 'x-own-bin'];
    seen.push(keys.flatMap((key) => call.metadata.get(key)));
    answer(call, callback);
  };
  let tokens = 0;
  const client = await serving(
    t,
    { generate },
    {
      tokenSource: () => Promise.resolve(`t${++tokens}`),
      traceContext: () => ({ traceparent: 'ambient', tracestate: 'a=b' }),
    },
  );
  await client.generate('Hello');
  await client.generate('Hello', {
    traceparent: 'own',
    rpcMetadata: { 'x-own': 'x', 'x-own-bin': Uint8Array.of(1) },
  });
  const keyed = await serving(t, { generate }, { apiKey: 'key' });
  await keyed.generate('Hello');
  assert.deepEqual(seen, [
    ['Bearer t1', 'ambient', 'a=b'],
    ['Bearer t2', 'own', 'a=b', 'x', Buffer.of(1)],
    ['Bearer key'],
  ]);
});

test('a token source that fails or hangs does not take the call with it', async (t) => {
  const methods = { generate: answer };
  const failed = await serving(t, methods, {
    tokenSource: () => {
      throw new Error('no network');
    },
  });
  await assert.rejects(failed.generate('Hello'), { code: 'UNAUTHENTICATED' });
  const broken = await serving(t, methods, { tokenSource: () => 'a\nb' });
  await assert.rejects(broken.generate('Hello'), { code: 'UNAUTHENTICATED' });
  const controller = new AbortController();
  const hanging = await serving(t, methods, {
    tokenSource: () => {
      controller.abort();
      return new Promise<string>(() => undefined);
    },
  });
  const call = hanging.generate('Hello', { signal: controller.signal });
  await assert.rejects(call, { code: 'CANCELLED' });
});

test('the deadline is that of the call, else of the client, else of the method', async (t) => {
  const left: number[] = [];
  const generate: Unary = (call, callback) => {
    left.push(Number(call.getDeadline()) - Date.now());
    answer(call, callback);
  };
  const usual = await serving(t, { generate });
  await usual.generate('Hello');
  const own = await serving(t, { generate }, { timeoutMs: 90_000 });
  await own.generate('Hello');
  await own.generate('Hello', { timeoutMs: 30_000 });
  assert.deepEqual(
    left.map((ms) => Math.round(ms / 10_000)),
    [60, 9, 3],
  );
});

test('an AbortSignal cancels a call that waits for its answer', async (t) => {
  const controller = new AbortController();
  let gone: () => void;
  const left = new Promise<void>((resolve) => (gone = resolve));
  const client = await serving(t, {
    generate: (call) => {
      call.on('cancelled', () => {
        gone();
      });
      controller.abort();
    },
  });
  const { signal } = controller;
  await assert.rejects(client.generate('Hello', { signal }), { code: 'CANCELLED' });
  await left;
});

test('a batch keeps the order and has errors in their places', async (t) => {
  const response = GenerateResponse.create({ operationId: 'second' });
  const client = await serving(t, {
    batchGenerate: (call) => {
      call.write({ index: 1, result: { $case: 'response', value: response } });
      const error = { code: 5, message: 'none', details: [] };
      call.write({ index: 0, result: { $case: 'error', value: error } });
      call.end();
    },
  });
  const [first, second, third] = await client.batch(['a', 'b', 'c'], { maxParallel: 2 });
  assert.ok(first instanceof InterlinguaError && first.code === 'NOT_FOUND');
  assert.ok(second instanceof GenerateResult && second.operationId === 'second');
  assert.ok(third instanceof InterlinguaError && third.code === 'DATA_LOSS');
});

test('a batch that fails before its first result rejects', async (t) => {
  const client = await serving(t, {});
  await assert.rejects(client.batch(['a']), { code: 'UNIMPLEMENTED' });
});

test('vectors are the same from floats and from bytes at any offset', async (t) => {
  const values = [0.5, -2, 1e-3];
  const client = await serving(t, {
    embed: (call, callback) => {
      const bytes = Buffer.alloc(12);
      values.forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
      const embeddings = [{ values }, { float32Le: bytes }, { float32Le: bytes }];
      callback(null, EmbedResponse.fromPartial({ operationId: 'odd', embeddings }));
      assert.equal(call.request.inputs.length, 2);
    },
  });
  const { vectors } = await client.embed(['a', [1, 2]]);
  const expected = Float32Array.from(values);
  assert.deepEqual(vectors, [expected, expected, expected]);
});

test('a message larger than 4 MiB goes and comes', async (t) => {
  const client = await serving(t, {
    generate: (call, callback) => {
      const parts = call.request.messages.flatMap(({ parts }) => parts);
      callback(null, GenerateResponse.fromPartial({ candidates: [{ parts }] }));
    },
  });
  const { messages } = GenerateRequest.fromPartial({
    messages: [{ parts: [{ content: { $case: 'text', value: 'x'.repeat(3 * 1024 * 1024) } }] }],
  });
  assert.equal((await client.generate(messages)).text.length, 3 * 1024 * 1024);
});

test('options that cannot be are refused at once, without the key', () => {
  assert.throws(() => new Client('x:1', { apiKey: 'secret\n' }), {
    name: 'TypeError',
    message: /^apiKey (?!.*secret)/,
  });
  assert.throws(() => new Client('x:1', { apiKey: 'a', tokenSource: () => 'b' }), TypeError);
  assert.throws(() => new Client('x:1', { timeoutMs: 0 }), TypeError);
  assert.throws(() => new Client('x:1', { tls: { privateKey: 'x' } }), TypeError);
});
