/** What can go wrong with a call, decoded from gRPC statuses and their details. */
import { type ServiceError, status } from '@grpc/grpc-js';

import type { Any } from './gen/google/protobuf/any.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';
import type { ErrorReason } from './gen/interlingua/v1/error.js';

/** Name of a gRPC status code, such as `NOT_FOUND`. */
export type Code = keyof typeof status;

/** Name of a value of the contract's ErrorReason; empty if the failure is not the gateway's. */
export type Reason =
  | `ERROR_REASON_${Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>}`
  | ''
  | (string & Record<never, never>);

/**
 * One thing that stood in the way of a call: `subject` is the path of a field such as
 * `messages[0].role`, or the subject of a quota or of a precondition.
 */
export interface Violation {
  readonly subject: string;
  readonly description: string;
}

/** The resource that an error is about, such as type `model` and name `gpt`. */
export interface Resource {
  readonly type: string;
  readonly name: string;
}

/** A call that failed: every failure that the gateway or gRPC reports is one. */
export class InterlinguaError extends Error {
  override readonly name: string = 'InterlinguaError';
  /** Name of the gRPC status code. */
  readonly code: Code;
  /** What the gateway says went wrong; empty if the failure did not come from the gateway. */
  readonly reason: Reason;
  /** How long the gateway asks to wait before another try; undefined if it does not say. */
  readonly retryDelayMs: number | undefined;
  /** The fields, quotas or preconditions that stood in the way. */
  readonly violations: readonly Violation[];
  /** What the error is about, where it is about one thing. */
  readonly resource: Resource | undefined;
  /** What else the gateway tells, such as the `phase` that spent a deadline. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The whole google.rpc.Status, where there was one. */
  readonly status: Status | undefined;

  constructor(message: string, code: Code, options: { status?: Status; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    const details = options.status?.details ?? [];
    const info = detail(details, 'ErrorInfo', ErrorInfo);
    const delay = detail(details, 'RetryInfo', RetryInfo)?.retryDelay;
    const resource = detail(details, 'ResourceInfo', ResourceInfo);
    this.code = code;
    this.reason = info?.reason ?? '';
    this.metadata = info?.metadata ?? {};
    this.retryDelayMs = delay && Number(delay.seconds) * 1e3 + delay.nanos / 1e6;
    this.violations = [...violations(details)];
    this.resource = resource && { type: resource.resourceType, name: resource.resourceName };
    this.status = options.status;
  }

  /** The gateway's name for the call; empty if the call did not reach it. */
  get operationId(): string {
    return this.metadata.operation_id ?? '';
  }
}

/** A stream that ended before its answer was whole; what came before is valid but not complete. */
export class StreamBrokenError extends InterlinguaError {
  override readonly name = 'StreamBrokenError';
}

/** The error for what grpc-js reported. */
export function fromServiceError(error: ServiceError): InterlinguaError {
  const [packed] = error.metadata.get('grpc-status-details-bin');
  const details = packed instanceof Buffer ? parse(packed) : undefined;
  return made(error.code, error.details, details);
}

/** The error for a status inside a message, such as that of an item of a batch. */
export function fromStatus(details: Status): InterlinguaError {
  return made(details.code, details.message, details);
}

/** The error for a call that its caller cancelled. */
export function cancelled(cause: unknown): InterlinguaError {
  return new InterlinguaError('the call was cancelled by its caller', 'CANCELLED', { cause });
}

/**
 * What `error` means once a stream has begun. A connection that is lost then must not look like a
 * call that can simply be sent again: without a reason of the gateway it is a StreamBrokenError
 * that keeps its code.
 */
export function cutOff(error: InterlinguaError): InterlinguaError {
  const plain = error.reason !== '' || ['CANCELLED', 'DEADLINE_EXCEEDED'].includes(error.code);
  return plain ? error : new StreamBrokenError(error.message, error.code, { cause: error });
}

function made(number: number, message: string, details: Status | undefined): InterlinguaError {
  const code = (status[number] ?? 'UNKNOWN') as Code;
  const kind = code === 'ABORTED' ? StreamBrokenError : InterlinguaError;
  return new kind(message, code, details && { status: details });
}

function* violations(details: readonly Any[]): Iterable<Violation> {
  for (const { field, description } of detail(details, 'BadRequest', BadRequest)?.fieldViolations ??
    []) {
    yield { subject: field, description };
  }
  for (const { subject, description } of detail(details, 'QuotaFailure', QuotaFailure)
    ?.violations ?? []) {
    yield { subject, description };
  }
  for (const { subject, description } of detail(details, 'PreconditionFailure', PreconditionFailure)
    ?.violations ?? []) {
    yield { subject, description };
  }
}

/** The first detail of a type; undefined if there is none that can be read. */
function detail<T>(
  details: readonly Any[],
  name: string,
  type: { decode(from: Uint8Array): T },
): T | undefined {
  const packed = details.find(({ typeUrl }) => typeUrl.endsWith(`/google.rpc.${name}`));
  return packed && unlessMalformed(() => type.decode(packed.value));
}

function parse(packed: Uint8Array): Status | undefined {
  return unlessMalformed(() => Status.decode(packed));
}

function unlessMalformed<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
