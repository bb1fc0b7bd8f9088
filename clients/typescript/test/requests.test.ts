import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  GenerateResult,
  type GenerateOptions,
  file,
  image,
  toolArguments,
  toolResult,
  user,
} from '../src/index.js';
import { generateRequest } from '../src/requests.js';
import {
  CacheMode,
  GenerateRequest,
  GenerateResponse,
  Modality,
  Priority,
  ReasoningEffort,
  Role,
  ToolMode,
} from '../src/v1.js';

function answer(text: string): GenerateResult {
  const parts = [{ content: { $case: 'text', value: text } }] as const;
  return new GenerateResult(GenerateResponse.fromPartial({ candidates: [{ parts: [...parts] }] }));
}

test('options become fields; what is left out stays unset', () => {
  const made = generateRequest([{ role: 'user', content: ['a', user('b').parts[0] ?? ''] }], {
    model: 'gpt',
    temperature: 0,
    stopSequences: 'END',
    seed: 2n ** 60n,
    logitBias: { 7: -1 },
    toolChoice: 'required',
    responseFormat: 'json_object',
    reasoningEffort: 'low',
    modalities: ['text', 'audio'],
    cacheMode: 'only_if_cached',
    cacheTtlMs: 1250,
    priority: 'high',
    providerOptions: { a: 1 },
    routing: { fallbackModels: ['b'], maxCostNanoUsd: 5n },
    tags: ['t'],
    metadata: { k: 'v' },
    timeoutMs: 5,
  });
  const request = GenerateRequest.decode(GenerateRequest.encode(made).finish());
  assert.equal(request.messages[0]?.parts.length, 2);
  assert.equal(request.sampling?.temperature, 0);
  assert.equal(request.sampling.topP, undefined);
  assert.deepEqual(request.sampling.stopSequences, ['END']);
  assert.equal(request.sampling.seed, 2n ** 60n);
  assert.deepEqual(request.sampling.logitBias, { 7: -1 });
  assert.deepEqual(request.toolChoice?.choice, { $case: 'mode', value: ToolMode.REQUIRED });
  assert.equal(request.responseFormat?.format?.$case, 'jsonObject');
  assert.equal(request.reasoning?.effort, ReasoningEffort.LOW);
  assert.deepEqual(request.modalities, [Modality.TEXT, Modality.AUDIO]);
  assert.deepEqual(request.cache, {
    mode: CacheMode.ONLY_IF_CACHED,
    ttl: { seconds: 1n, nanos: 250_000_000 },
  });
  assert.equal(request.priority, Priority.HIGH);
  assert.equal(request.providerOptionsJson, '{"a":1}');
  assert.deepEqual(request.routing?.fallbackModels, ['b']);
  assert.equal(request.routing.maxCostNanoUsd, 5n);
  const bare = generateRequest('Hello', {});
  assert.deepEqual(bare, GenerateRequest.fromPartial({ messages: [user('Hello')] }));
});

test('a whole request goes as it stands and takes no options', () => {
  const request = GenerateRequest.create({ model: 'gpt' });
  assert.equal(generateRequest(request, { timeoutMs: 5 }), request);
  assert.throws(() => generateRequest(request, { model: 'other' }), TypeError);
});

test('names that the contract does not know are refused with those that it does', () => {
  const wrong = { priority: 'urgent' } as unknown as GenerateOptions;
  assert.throws(() => generateRequest('Hello', wrong), {
    name: 'TypeError',
    message: 'priority must be one of low, normal, high; not "urgent"',
  });
  const format = { responseFormat: 'xml' } as unknown as GenerateOptions;
  assert.throws(() => generateRequest('Hello', format), TypeError);
});

test('media and results of tools', () => {
  assert.throws(() => image(Uint8Array.of(1)), TypeError);
  const document = file(Uint8Array.of(1), 'application/pdf', { name: 'a.pdf' });
  assert.ok(document.content?.$case === 'file');
  assert.equal(document.content.value.name, 'a.pdf');
  const failed = toolResult({ id: '1', name: 'f' }, ['no', document], { isError: true });
  assert.equal(failed.role, Role.TOOL);
  const [part] = failed.parts;
  assert.ok(part?.content?.$case === 'toolResult');
  assert.equal(part.content.value.isError, true);
  assert.equal(part.content.value.parts.length, 2);
});

test('structured output and arguments become typed values', () => {
  const colour = (value: unknown): { colour: string } => {
    assert.ok(typeof value === 'object' && value !== null && 'colour' in value);
    return { colour: String(value.colour) };
  };
  assert.equal(answer('{"colour":"red"}').json(colour).colour, 'red');
  assert.deepEqual(answer('[1]').json(), [1]);
  assert.throws(() => answer('{"colo').json(), {
    name: 'SyntaxError',
    message: 'the answer is not JSON; it ended with finish reason unspecified',
  });
  const call = { id: '1', name: 'f', argumentsJson: '{"colour":"blue"}' };
  assert.equal(toolArguments(call, colour).colour, 'blue');
  assert.deepEqual(toolArguments({ ...call, argumentsJson: '' }), {});
});
