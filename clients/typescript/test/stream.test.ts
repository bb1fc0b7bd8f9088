import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import type { ServerWritableStream } from '@grpc/grpc-js';
import * as grpc from '@grpc/grpc-js';

import { InterlinguaError, StreamBrokenError } from '../src/index.js';
import {
  FinishReason,
  type GenerateRequest,
  MediaDeltaKind,
  MediaDetail,
  StreamCompleted,
  StreamGenerateResponse,
  StreamStart,
} from '../src/v1.js';
import { failing, numbered, serving } from './gateway.js';

type Call = ServerWritableStream<GenerateRequest, StreamGenerateResponse>;

const START = { $case: 'start', value: StreamStart.create({ operationId: '01J' }) } as const;
const COMPLETED = { $case: 'completed', value: StreamCompleted.create() } as const;

function text(value: string) {
  return { $case: 'textDelta', value } as const;
}

/** Answers with `events`; the stream then ends with OK, or with `error`. */
function answering(events: StreamGenerateResponse[], error?: grpc.ServiceError) {
  return {
    streamGenerate(call: Call) {
      for (const event of events) call.write(event);
      if (error) call.emit('error', error);
      else call.end();
    },
  };
}

/** Answers with a start and goes on for ever; resolves `left` when the client has gone. */
function endless() {
  let gone: () => void;
  const left = new Promise<void>((resolve) => (gone = resolve));
  const streamGenerate = (call: Call): void => {
    call.on('cancelled', () => {
      gone();
    });
    for (const event of numbered(START, text('a'))) call.write(event);
  };
  return { left, methods: { streamGenerate } };
}

const media = { mimeType: 'audio/wav', detail: MediaDetail.UNSPECIFIED, name: '' };
const sound = (byte: number) =>
  ({
    $case: 'mediaDelta',
    value: {
      kind: MediaDeltaKind.AUDIO,
      media: { ...media, source: { $case: 'data', value: Uint8Array.of(byte) } },
    },
  }) as const;
const thought = (value: string, signature = '') =>
  ({
    $case: 'reasoningDelta',
    value: { text: value, signature: Buffer.from(signature), redacted: false },
  }) as const;
const call = (callIndex: number, name: string, argumentsJsonFragment: string) =>
  ({
    $case: 'toolCallDelta',
    value: { callIndex, id: name && `id-${name}`, name, argumentsJsonFragment },
  }) as const;

test('an answer in parts is put together', async (t) => {
  const client = await serving(
    t,
    answering(
      numbered(
        START,
        thought('h'),
        thought('m', 'sig'),
        thought('again'),
        text('Hel'),
        [1, text('other')],
        text('lo'),
        call(0, 'a', '{"x"'),
        call(1, 'b', '{}'),
        call(0, '', ':1}'),
        sound(1),
        sound(2),
        {
          $case: 'finish',
          value: { reason: FinishReason.TOOL_CALLS, stopSequence: '', upstreamReason: '' },
        },
        COMPLETED,
      ),
    ),
  );
  const stream = client.stream('Hello');
  let seen = '';
  for await (const delta of stream.text()) seen += delta;
  const { response } = stream;
  assert.equal(seen, 'Hello');
  assert.equal(response.text, 'Hello');
  assert.equal(response.operationId, '01J');
  assert.equal(response.reasoning, 'hmagain');
  assert.equal(response.finishReason, 'tool_calls');
  assert.deepEqual(
    response.toolCalls.map(({ id, argumentsJson }) => [id, argumentsJson]),
    [
      ['id-a', '{"x":1}'],
      ['id-b', '{}'],
    ],
  );
  assert.deepEqual(
    response.message.parts.map(({ content }) => content?.$case),
    ['reasoning', 'reasoning', 'text', 'toolCall', 'toolCall', 'audio'],
  );
  const last = response.message.parts.at(-1)?.content;
  assert.ok(last?.$case === 'audio');
  assert.deepEqual(last.value.source, { $case: 'data', value: Uint8Array.of(1, 2) });
  assert.equal(response.candidates[1]?.parts.length, 1);
});

test('leaving the loop cancels the call', async (t) => {
  const gateway = endless();
  const client = await serving(t, gateway.methods);
  const stream = client.stream('Hello');
  for await (const delta of stream.text()) {
    assert.equal(delta, 'a');
    break;
  }
  await gateway.left;
  assert.equal(stream.partial.text, 'a');
  assert.throws(() => stream.response, { code: 'CANCELLED' });
  await assert.rejects(stream.collect(), { code: 'CANCELLED' });
});

test('an AbortSignal cancels the call, with its reason as the cause', async (t) => {
  const gateway = endless();
  const client = await serving(t, gateway.methods);
  const controller = new AbortController();
  const reason = new Error('enough');
  const stream = client.stream('Hello', { signal: controller.signal });
  await assert.rejects(
    async () => {
      for await (const delta of stream.text()) {
        assert.equal(delta, 'a');
        controller.abort(reason);
      }
    },
    { code: 'CANCELLED', cause: reason },
  );
  await gateway.left;
});

test('a signal that has aborted keeps the call from being made', async (t) => {
  const client = await serving(t, {});
  const signal = AbortSignal.abort();
  await assert.rejects(client.stream('Hello', { signal }).collect(), { code: 'CANCELLED' });
  await assert.rejects(client.generate('Hello', { signal }), { code: 'CANCELLED' });
});

test('closing the stream wakes who waits for an event', async (t) => {
  const gateway = endless();
  const client = await serving(t, gateway.methods);
  const stream = client.stream('Hello');
  const events = stream[Symbol.asyncIterator]();
  await events.next();
  await events.next();
  const waiting = events.next();
  stream.close();
  await assert.rejects(waiting, { code: 'CANCELLED' });
  await gateway.left;
});

test('a spent deadline ends the stream', async (t) => {
  const client = await serving(t, endless().methods);
  const stream = client.stream('Hello', { timeoutMs: 50 });
  await assert.rejects(stream.collect(), { code: 'DEADLINE_EXCEEDED' });
  assert.equal(stream.partial.text, 'a');
});

test('a stream that lacks its last event is broken', async (t) => {
  const client = await serving(t, answering(numbered(START, text('Hel'))));
  const stream = client.stream('Hello');
  await assert.rejects(stream.collect(), (error) => {
    return error instanceof StreamBrokenError && error.code === 'DATA_LOSS';
  });
  await assert.rejects(stream.collect(), StreamBrokenError);
  assert.equal(stream.partial.text, 'Hel');
});

test('a stream that lacks an event in its middle is broken', async (t) => {
  const [first, , third] = numbered(START, text('a'), text('b'));
  assert.ok(first && third);
  const client = await serving(t, answering([first, third]));
  await assert.rejects(client.stream('Hello').collect(), { code: 'DATA_LOSS' });
});

test('a connection that is lost after the first event is no call to be repeated', async (t) => {
  const lost = failing(grpc.status.UNAVAILABLE, 'gone');
  const client = await serving(t, answering(numbered(START, text('a')), lost));
  await assert.rejects(client.stream('Hello').collect(), (error) => {
    assert.ok(error instanceof StreamBrokenError);
    assert.ok(error.cause instanceof InterlinguaError);
    return error.code === 'UNAVAILABLE';
  });
});

test('many streams at once on one client', async (t) => {
  const client = await serving(t, answering(numbered(START, text('a'), COMPLETED)));
  const streams = Array.from({ length: 100 }, () => client.stream('Hello').collect());
  assert.ok((await Promise.all(streams)).every((answer) => answer.text === 'a'));
});

test('a slow reader holds the writer back', async (t) => {
  const events = Array.from({ length: 2000 }, () => text('x'.repeat(10_000)));
  let written = 0;
  const client = await serving(t, {
    streamGenerate(call: Call) {
      void (async () => {
        for (const event of numbered(START, ...events, COMPLETED)) {
          written += 1;
          if (!call.write(event)) await once(call, 'drain');
        }
        call.end();
      })();
    },
  });
  const stream = client.stream('Hello');
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  const ahead = written;
  assert.ok(ahead < 1000, `${ahead} events were written before the second was read`);
  assert.equal((await stream.collect()).text.length, 20_000_000);
});
