/** A streamed answer. */
import type { GenerateRequest, StreamGenerateResponse } from './gen/interlingua/v1/generate.js';
import { GatewayServiceService } from './gen/interlingua/v1/gateway_service.js';
import type { Connection } from './connection.js';
import type { CallOptions } from './endpoint.js';
import { InterlinguaError } from './errors.js';
import { StreamRecord } from './record.js';
import type { GenerateResult } from './results.js';

/**
 * The events of an answer as they come, as messages of the contract. It can be read once, and the
 * call begins with the first read.
 *
 * Iteration ends quietly only after the whole answer; otherwise it throws what went wrong. Leaving
 * the loop, `close()` and the call's AbortSignal cancel what has not ended, and the gateway then
 * ends it at the provider.
 */
export class GenerateStream implements AsyncIterable<StreamGenerateResponse>, AsyncDisposable {
  readonly #record = new StreamRecord();
  readonly #own = new AbortController();
  readonly #events: AsyncGenerator<StreamGenerateResponse, void, undefined>;

  /** @internal */
  constructor(connection: Connection, request: GenerateRequest, options: CallOptions) {
    this.#events = this.#read(connection, request, options);
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamGenerateResponse, void, undefined> {
    return {
      next: () => {
        const { failure } = this.#record;
        return failure ? Promise.reject(failure) : this.#events.next();
      },
      return: () => this.#events.return(),
    };
  }

  /** The text of one candidate as it comes; skips every other event. */
  async *text(candidate = 0): AsyncGenerator<string, void, undefined> {
    for await (const { candidateIndex, event } of this) {
      if (candidateIndex === candidate && event?.$case === 'textDelta') yield event.value;
    }
  }

  /** Reads the rest and returns the whole answer. */
  async collect(): Promise<GenerateResult> {
    const events = this[Symbol.asyncIterator]();
    while ((await events.next()).done !== true);
    return this.response;
  }

  /** The whole answer, after its end. Throws what the stream failed of, or Error if it goes on. */
  get response(): GenerateResult {
    return this.#record.response;
  }

  /** The answer as far as it has been read, whole or not. */
  get partial(): GenerateResult {
    return this.#record.partial;
  }

  /** Cancels the answer if it has not ended; whoever waits for an event gets the error CANCELLED. */
  close(): void {
    this.#record.close();
    this.#own.abort(this.#record.failure?.cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#events.return();
  }

  async *#read(
    connection: Connection,
    request: GenerateRequest,
    options: CallOptions,
  ): AsyncGenerator<StreamGenerateResponse, void, undefined> {
    const { signal } = options;
    const forward = (): void => {
      this.#own.abort(signal?.reason);
    };
    if (signal?.aborted) forward();
    signal?.addEventListener('abort', forward);
    const method = GatewayServiceService.streamGenerate;
    try {
      const events = connection.stream(method, request, { ...options, signal: this.#own.signal });
      for await (const event of events) {
        this.#record.add(event);
        yield event;
      }
      this.#record.end();
    } catch (error) {
      throw error instanceof InterlinguaError ? this.#record.fail(error) : error;
    } finally {
      this.#record.close();
      signal?.removeEventListener('abort', forward);
    }
  }
}
