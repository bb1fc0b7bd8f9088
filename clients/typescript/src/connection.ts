/** Calls over one channel: deadlines, credentials, cancellation, errors. */
import {
  type ClientReadableStream,
  Client as GrpcClient,
  type Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

import { type CallOptions, Endpoint } from './endpoint.js';
import { cancelled, fromServiceError } from './errors.js';

/** A connection to a gateway; all of its calls fail with InterlinguaError. */
export class Connection {
  readonly #endpoint: Endpoint;
  readonly #client: GrpcClient;

  constructor(endpoint: Endpoint) {
    const { address, credentials, channelOptions } = endpoint;
    this.#endpoint = endpoint;
    this.#client = new GrpcClient(address, credentials, channelOptions);
  }

  close(): void {
    this.#client.close();
  }

  /** Performs a call that has one answer. */
  async unary<Q, A>(method: MethodDefinition<Q, A>, request: Q, options: CallOptions): Promise<A> {
    const deadline = this.#endpoint.deadline(nameOf(method), options);
    const metadata = await this.#metadata(options);
    const { path, requestSerialize, responseDeserialize } = method;
    let cancel: (() => void) | undefined;
    try {
      return await new Promise<A>((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          { deadline },
          (error, answer) => {
            if (error) reject(error);
            else resolve(answer as A);
          },
        );
        cancel = call.cancel.bind(call);
        options.signal?.addEventListener('abort', cancel);
      });
    } catch (error) {
      throw failure(error, options.signal);
    } finally {
      if (cancel) options.signal?.removeEventListener('abort', cancel);
    }
  }

  /** Performs a call that has a stream of answers; leaving it cancels the call. */
  async *stream<Q, A>(
    method: MethodDefinition<Q, A>,
    request: Q,
    options: CallOptions,
  ): AsyncGenerator<A, void, undefined> {
    const deadline = this.#endpoint.deadline(nameOf(method), options);
    const metadata = await this.#metadata(options);
    const { path, requestSerialize, responseDeserialize } = method;
    const call: ClientReadableStream<A> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      { deadline },
    );
    // A call that was left reports its cancellation when nobody listens any more.
    call.on('error', () => undefined);
    const cancel = call.cancel.bind(call);
    options.signal?.addEventListener('abort', cancel);
    try {
      yield* call as AsyncIterable<A>;
    } catch (error) {
      throw failure(error, options.signal);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      cancel();
    }
  }

  async #metadata(options: CallOptions): Promise<Metadata> {
    const { signal } = options;
    if (signal?.aborted) throw cancelled(signal.reason);
    let abort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        reject(cancelled(signal?.reason));
      };
      signal?.addEventListener('abort', abort);
    });
    try {
      return await Promise.race([this.#endpoint.metadata(options), aborted]);
    } finally {
      if (abort) signal?.removeEventListener('abort', abort);
    }
  }
}

function nameOf({ path }: MethodDefinition<never, unknown> | { path: string }): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function failure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return cancelled(signal.reason);
  return isServiceError(error) ? fromServiceError(error) : error;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error;
}
