/** The conformance runner: node build/conformance/runner.js ADDRESS PLAN */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import {
  type CallOptions,
  Client,
  type ClientOptions,
  GenerateResult,
  InterlinguaError,
} from '../src/index.js';
import {
  BatchGenerateRequest,
  CountTokensRequest,
  CountTokensResponse,
  EmbedRequest,
  EmbedResponse,
  GenerateRequest,
  GenerateResponse,
  HealthRequest,
  HealthResponse,
  StreamGenerateResponse,
} from '../src/v1.js';
import { builtRequest } from './build.js';
import { watch } from './watch.js';

interface Scenario {
  readonly name: string;
  readonly op: string;
  readonly request?: string;
  readonly options?: Options;
}

interface Options {
  readonly address?: string;
  readonly tls?: { ca_file: string; cert_file?: string; key_file?: string; server_name?: string };
  readonly api_key?: string;
  readonly token_source?: boolean;
  readonly calls?: number;
  readonly streams?: number;
  readonly traceparent?: string;
  readonly metadata?: Record<string, string>;
  readonly deadline_ms?: number;
  readonly cancel_after_ms?: number;
  readonly leave_after_events?: number;
}

type Observed = Record<string, unknown>;
type Operation = (client: Client, request: Buffer, options: Options) => Promise<Observed>;
interface Coder<T> {
  encode(message: T): { finish(): Uint8Array };
}

const [address = '', plan = ''] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function pause(name: string): Promise<void> {
  console.log(JSON.stringify({ pause: name }));
  await lines.next();
}

function base64<T>(coder: Coder<T>, message: T): string {
  return Buffer.from(coder.encode(message).finish()).toString('base64');
}

function errorOf(error: unknown): Observed {
  if (!(error instanceof InterlinguaError)) throw error;
  const { code, reason, message, retryDelayMs, violations, resource, metadata } = error;
  const retry_after_ms = retryDelayMs ?? null;
  return {
    code,
    reason,
    message,
    retry_after_ms,
    violations,
    resource: resource ?? null,
    metadata,
  };
}

/** What a call that failed adds to what came before: an error, or that it was cancelled on purpose. */
function ended(error: unknown, signal: AbortSignal | undefined): Observed {
  const cancelled = error instanceof InterlinguaError && error.code === 'CANCELLED';
  return cancelled && signal?.aborted ? { cancelled: true } : { error: errorOf(error) };
}

function callOptions(options: Options): CallOptions {
  const { cancel_after_ms: cancelAfterMs } = options;
  let signal: AbortSignal | undefined;
  if (cancelAfterMs !== undefined) {
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort();
    }, cancelAfterMs).unref();
    signal = controller.signal;
  }
  return {
    signal,
    timeoutMs: options.deadline_ms,
    traceparent: options.traceparent,
    rpcMetadata: options.metadata,
  };
}

async function generate(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const call = callOptions(options);
  try {
    const result = await client.generate(GenerateRequest.decode(request), call);
    return { response: base64(GenerateResponse, result.raw), text: result.text };
  } catch (error) {
    return ended(error, call.signal);
  }
}

async function stream(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const call = callOptions(options);
  const events: string[] = [];
  let text = '';
  try {
    for await (const event of client.stream(GenerateRequest.decode(request), call)) {
      events.push(base64(StreamGenerateResponse, event));
      if (event.candidateIndex === 0 && event.event?.$case === 'textDelta') {
        text += event.event.value;
      }
      if (events.length === options.leave_after_events) return { events, text, cancelled: true };
    }
    return { events, text };
  } catch (error) {
    return { events, text, ...ended(error, call.signal) };
  }
}

async function embed(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const call = callOptions(options);
  try {
    const result = await client.embed(EmbedRequest.decode(request), call);
    const vectors = result.vectors.map((vector) => {
      const bytes = Buffer.alloc(4 * vector.length);
      vector.forEach((number, i) => bytes.writeFloatLE(number, 4 * i));
      return bytes.toString('base64');
    });
    return { response: base64(EmbedResponse, result.raw), vectors };
  } catch (error) {
    return ended(error, call.signal);
  }
}

async function batch(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const call = callOptions(options);
  const { requests, maxParallel } = BatchGenerateRequest.decode(request);
  try {
    const results = await client.batch(requests, { ...call, maxParallel });
    return {
      results: results.map((result) =>
        result instanceof GenerateResult
          ? { response: base64(GenerateResponse, result.raw) }
          : { error: errorOf(result) },
      ),
    };
  } catch (error) {
    return ended(error, call.signal);
  }
}

/** An operation with one answer that needs no more than its encoding. */
function plain(call: (...all: [Client, Buffer, CallOptions]) => Promise<Observed>): Operation {
  return async (client, request, options) => {
    const common = callOptions(options);
    try {
      return await call(client, request, common);
    } catch (error) {
      return ended(error, common.signal);
    }
  };
}

async function restart(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const before = await generate(client, request, options);
  await pause('restart');
  return { before, after: await generate(client, request, options) };
}

async function drain(client: Client, request: Buffer, options: Options): Promise<Observed> {
  const opened = await Promise.all(
    Array.from({ length: options.streams ?? 1 }, async () => {
      const answer = client.stream(GenerateRequest.decode(request), callOptions(options));
      await answer[Symbol.asyncIterator]().next();
      return answer;
    }),
  );
  await pause('streaming');
  const streams = await Promise.all(
    opened.map(async (answer) => {
      let text = '';
      try {
        for await (const delta of answer.text()) text += delta;
        return { text };
      } catch (error) {
        return { text, error: errorOf(error) };
      }
    }),
  );
  await pause('drained');
  const calls: Observed[] = [];
  for (let i = 0; i < (options.calls ?? 1); i++) {
    const { text, error } = await generate(client, request, options);
    calls.push({ text, error });
  }
  return { streams, calls };
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  generate,
  stream,
  embed,
  batch,
  restart,
  drain,
  watch: () => watch(address, pause),
  count_tokens: plain(async (client, request, call) => {
    const wanted = CountTokensRequest.decode(request).request ?? GenerateRequest.create();
    const counted = await client.countTokens(wanted, call);
    return { response: base64(CountTokensResponse, counted) };
  }),
  health: plain(async (client, request, call) => {
    const health = await client.health(HealthRequest.decode(request).provider, call);
    return { response: base64(HealthResponse, health) };
  }),
  list_models: plain(async (client, _, call) => {
    return { models: (await client.models(call)).map(({ name }) => name) };
  }),
  build: () => Promise.resolve({ request: base64(GenerateRequest, builtRequest()) }),
};

function clientOptions(options: Options): ClientOptions {
  const { tls } = options;
  const read = (path: string | undefined) => (path === undefined ? path : readFileSync(path));
  let uses = 0;
  return {
    apiKey: options.api_key,
    tokenSource: options.token_source ? () => `token-${++uses}` : undefined,
    tls: tls && {
      rootCertificates: read(tls.ca_file),
      certificateChain: read(tls.cert_file),
      privateKey: read(tls.key_file),
      serverName: tls.server_name,
    },
  };
}

async function observe(shared: Client, scenario: Scenario): Promise<Observed> {
  const { op, options = {} } = scenario;
  const operation = OPERATIONS[op];
  if (operation === undefined) return { crash: 'unknown op' };
  const own = options.address !== undefined;
  const client = own ? new Client(options.address, clientOptions(options)) : shared;
  const request = Buffer.from(scenario.request ?? '', 'base64');
  try {
    const calls = op === 'drain' ? 1 : (options.calls ?? 1);
    for (let i = 1; i < calls; i++) await operation(client, request, options);
    return await operation(client, request, options);
  } catch (error) {
    return { crash: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    if (own) client.close();
  }
}

const { scenarios } = JSON.parse(readFileSync(plan, 'utf8')) as { scenarios: Scenario[] };
const client = new Client(address);
for (const scenario of scenarios) {
  const observed = await observe(client, scenario);
  console.log(JSON.stringify({ scenario: scenario.name, observed }));
}
client.close();
process.stdin.destroy();
