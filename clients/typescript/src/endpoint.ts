/** Where a gateway is and how to speak with it: TLS, credentials, time limits, gRPC options. */
import { type ChannelCredentials, type ChannelOptions, Metadata, credentials } from '@grpc/grpc-js';

import { InterlinguaError } from './errors.js';
import { SERVICE_CONFIG } from './gen/service_config.js';

const ADDRESS_VARIABLE = 'INTERLINGUA_ADDRESS';
const DEFAULT_ADDRESS = '127.0.0.1:50051';

/**
 * The time that a call may take where neither call nor client says so. It does not stand in the
 * service config, because gRPC takes the shorter of the two and nobody could ask for more.
 */
const TIMEOUTS_MS: Readonly<Record<string, number>> = {
  Generate: 600_000,
  StreamGenerate: 600_000,
  Embed: 120_000,
  BatchGenerate: 3_600_000,
  CountTokens: 30_000,
  ListModels: 15_000,
  GetModel: 15_000,
  Health: 15_000,
};
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const LOOPBACK = /^(127\.|localhost:|\[::1\]:)/;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** How to trust the gateway and, for mutual TLS, how to be trusted. All texts and bytes are PEM. */
export interface Tls {
  /** Whom to trust; the roots that Node.js trusts if left out. */
  readonly rootCertificates?: string | Uint8Array | undefined;
  /** Who you are, leaf first; comes together with `privateKey`. */
  readonly certificateChain?: string | Uint8Array | undefined;
  readonly privateKey?: string | Uint8Array | undefined;
  /** The name to find in the gateway's certificate if it is not the address's host. */
  readonly serverName?: string | undefined;
}

/** W3C trace context, as OpenTelemetry's `propagation.inject` writes it into an object. */
export interface TraceContext {
  traceparent?: string;
  tracestate?: string;
}

/** Options of a client. */
export interface ClientOptions {
  /** Sent as `authorization: Bearer ...`. Without TLS anybody on the way can read it. */
  readonly apiKey?: string | undefined;
  /** Asked at each call for what to send instead of an API key; refresh and cache in there. */
  readonly tokenSource?: (() => string | Promise<string>) | undefined;
  /** TLS with the usual roots (`true`), or more about it. Plain text if left out. */
  readonly tls?: Tls | boolean | undefined;
  /** Bounds each call that does not name its own limit. */
  readonly timeoutMs?: number | undefined;
  /** Asked at each call for the trace context to pass on. */
  readonly traceContext?: (() => TraceContext | undefined) | undefined;
  /** Further channel options of grpc-js; they win over the client's own. */
  readonly channelOptions?: ChannelOptions | undefined;
}

/** Options of every call. */
export interface CallOptions {
  /** Cancels the call, up to the provider, when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Bounds the call with all that the gateway does for it. */
  readonly timeoutMs?: number | undefined;
  /** A W3C trace context to be continued. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Further gRPC metadata; bytes under keys that end in `-bin`. */
  readonly rpcMetadata?: Readonly<Record<string, string | Uint8Array>> | undefined;
}

/** What a client was told about its gateway. */
export class Endpoint {
  readonly address: string;
  readonly #options: ClientOptions;

  /** Throws TypeError for options that contradict each other or cannot be sent. */
  constructor(address: string | undefined, options: ClientOptions) {
    const named = process.env[ADDRESS_VARIABLE];
    this.address = address ?? (named === undefined || named === '' ? DEFAULT_ADDRESS : named);
    this.#options = options;
    positive(options.timeoutMs);
    if (options.apiKey !== undefined && options.tokenSource !== undefined) {
      throw new TypeError('give either apiKey or tokenSource');
    }
    if (options.apiKey !== undefined && !PRINTABLE.test(options.apiKey)) {
      throw new TypeError('apiKey is empty or holds a character that cannot stand in a header');
    }
  }

  /** Throws TypeError if only half of the client's certificate is there, Error if it is no PEM. */
  get credentials(): ChannelCredentials {
    const { tls } = this.#options;
    if (!tls) return credentials.createInsecure();
    if (tls === true) return credentials.createSsl();
    const { rootCertificates, privateKey, certificateChain } = tls;
    if ((privateKey === undefined) !== (certificateChain === undefined)) {
      throw new TypeError('certificateChain and privateKey come together');
    }
    return credentials.createSsl(pem(rootCertificates), pem(privateKey), pem(certificateChain));
  }

  get channelOptions(): ChannelOptions {
    const { tls } = this.#options;
    const serverName = typeof tls === 'object' ? tls.serverName : undefined;
    return {
      'grpc.service_config': SERVICE_CONFIG,
      'grpc.service_config_disable_resolution': 1,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.per_rpc_retry_buffer_size': MAX_MESSAGE_BYTES,
      'grpc.retry_buffer_size': 4 * MAX_MESSAGE_BYTES,
      // The gateway refuses pings that come more often than every 5 seconds.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.primary_user_agent': 'interlingua-typescript',
      ...(serverName !== undefined && { 'grpc.ssl_target_name_override': serverName }),
      ...(LOOPBACK.test(this.address) && { 'grpc.enable_http_proxy': 0 }),
      ...this.#options.channelOptions,
    };
  }

  /** The instant until which a call of `method` that begins now may take. */
  deadline(method: string, options: CallOptions): Date {
    const own = positive(options.timeoutMs) ?? this.#options.timeoutMs;
    return new Date(Date.now() + (own ?? TIMEOUTS_MS[method] ?? 60_000));
  }

  /** The gRPC metadata of a call. Throws UNAUTHENTICATED if the token source fails. */
  async metadata(options: CallOptions): Promise<Metadata> {
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(options.rpcMetadata ?? {})) {
      metadata.set(key, typeof value === 'string' ? value : Buffer.from(value));
    }
    const trace = { ...this.#options.traceContext?.(), ...given(options) };
    for (const [key, value] of Object.entries(trace)) metadata.set(key, value);
    const token = this.#options.apiKey ?? (await this.#token());
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }

  async #token(): Promise<string | undefined> {
    const { tokenSource } = this.#options;
    if (tokenSource === undefined) return undefined;
    let token: string;
    try {
      token = await tokenSource();
    } catch (cause) {
      throw new InterlinguaError('the token source failed', 'UNAUTHENTICATED', { cause });
    }
    if (PRINTABLE.test(token)) return token;
    throw new InterlinguaError('the token source gave no usable token', 'UNAUTHENTICATED');
  }
}

function given({ traceparent, tracestate }: CallOptions): TraceContext {
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

function positive(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new TypeError(`timeoutMs must be a positive number of milliseconds, not ${timeoutMs}`);
  }
  return timeoutMs;
}

function pem(text: string | Uint8Array | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
