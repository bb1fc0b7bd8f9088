/** What calls return: thin views of the contract's responses, with the response in `raw`. */
import { type Message, Role, type ToolCall } from './gen/interlingua/v1/content.js';
import type { Embedding, EmbedResponse } from './gen/interlingua/v1/embed.js';
import {
  type BatchGenerateResponse,
  Candidate,
  FinishReason,
  type GenerateResponse,
  Usage,
  type Warning,
} from './gen/interlingua/v1/generate.js';
import { InterlinguaError, StreamBrokenError, cutOff, fromStatus } from './errors.js';

/** Why an answer ended; `unspecified` if it has not. */
export type FinishReasonName = Lowercase<keyof typeof FinishReason>;

/** Makes a typed value of parsed JSON, or throws; the `parse` of a schema library fits. */
export type Validate<T> = (value: unknown) => T;

abstract class Answer {
  abstract readonly raw: GenerateResponse | EmbedResponse;

  /** The gateway's name for the call; quote it when asking for help. */
  get operationId(): string {
    return this.raw.operationId;
  }

  /** The alias that was resolved; `raw.answeredBy` knows provider and deployment. */
  get model(): string {
    return this.raw.answeredBy?.model ?? '';
  }

  /** Tokens of the whole call, with a flag that says whether they are estimated. */
  get usage(): Usage {
    return this.raw.usage ?? Usage.create();
  }

  /** What the call cost in 1e-9 USD; undefined if the price of the model is unknown. */
  get costNanoUsd(): bigint | undefined {
    return this.raw.cost?.costNanoUsd;
  }

  /** What the call cost in USD, rounded; undefined if the price of the model is unknown. */
  get costUsd(): number | undefined {
    return this.costNanoUsd === undefined ? undefined : Number(this.costNanoUsd) / 1e9;
  }

  /** What of the request was not honoured, where `unsupportedParameters` is `warn`. */
  get warnings(): readonly Warning[] {
    return this.raw.report?.warnings ?? [];
  }
}

/** An answer. What is said of one candidate here is said of the first; `candidates` has all. */
export class GenerateResult extends Answer {
  override readonly raw: GenerateResponse;
  readonly #first: Candidate;

  constructor(raw: GenerateResponse) {
    super();
    this.raw = raw;
    this.#first = raw.candidates[0] ?? Candidate.create();
  }

  /** Every answer, by index. */
  get candidates(): readonly Candidate[] {
    return this.raw.candidates;
  }

  /** The text parts, joined; empty if the model only called tools. */
  get text(): string {
    return this.#first.parts
      .map(({ content }) => (content?.$case === 'text' ? content.value : ''))
      .join('');
  }

  /** What the model shows of its reasoning, joined; empty if nothing. */
  get reasoning(): string {
    return this.#first.parts
      .map(({ content }) => (content?.$case === 'reasoning' ? content.value.text : ''))
      .join('');
  }

  /** The calls that the model wants made. */
  get toolCalls(): ToolCall[] {
    return this.#first.parts.flatMap(({ content }) =>
      content?.$case === 'toolCall' ? [content.value] : [],
    );
  }

  /** The answer as a message, to be appended to the conversation when it goes on. */
  get message(): Message {
    return { role: Role.ASSISTANT, parts: this.#first.parts, name: '' };
  }

  /** Why it ended. */
  get finishReason(): FinishReasonName {
    const name = FinishReason[this.#first.finish?.reason ?? FinishReason.UNSPECIFIED] as
      keyof typeof FinishReason | undefined;
    return (name ?? 'OTHER').toLowerCase() as FinishReasonName;
  }

  /**
   * The text as a JSON value, for a `responseFormat` of JSON. Throws SyntaxError if it is none, as
   * when the model ran out of tokens, and what `validate` throws.
   */
  json(): unknown;
  json<T>(validate: Validate<T>): T;
  json<T>(validate?: Validate<T>): unknown {
    const why = `the answer is not JSON; it ended with finish reason ${this.finishReason}`;
    return parsed(this.text, why, validate);
  }
}

/** The arguments of a tool call. Throws SyntaxError if they are no JSON, and what `validate` throws. */
export function toolArguments(call: ToolCall): unknown;
export function toolArguments<T>(call: ToolCall, validate: Validate<T>): T;
export function toolArguments<T>(call: ToolCall, validate?: Validate<T>): unknown {
  const why = `the arguments of the call of ${call.name} are not JSON`;
  return parsed(call.argumentsJson || '{}', why, validate);
}

/** Vectors, one for each input, in the order of the inputs. */
export class EmbedResult extends Answer {
  override readonly raw: EmbedResponse;

  constructor(raw: EmbedResponse) {
    super();
    this.raw = raw;
  }

  /** The vectors, made anew at each use. */
  get vectors(): Float32Array[] {
    return this.raw.embeddings.map(floats);
  }
}

/** How one prompt of a batch ended. */
export type BatchResult = GenerateResult | InterlinguaError;

/**
 * The results of a batch in the order of its requests. A request without a result has in its place
 * how the stream of results failed, or a StreamBrokenError if that ended well. Throws `failure` if
 * nothing had arrived.
 */
export function batchResults(
  count: number,
  arrived: readonly BatchGenerateResponse[],
  failure: InterlinguaError | undefined,
): BatchResult[] {
  if (failure !== undefined && arrived.length === 0) throw failure;
  const missing = failure
    ? cutOff(failure)
    : new StreamBrokenError('no result was sent', 'DATA_LOSS');
  const results = Array.from<BatchResult>({ length: count }).fill(missing);
  for (const { index, result } of arrived) {
    if (index >= count || result === undefined) continue;
    results[index] =
      result.$case === 'response' ? new GenerateResult(result.value) : fromStatus(result.value);
  }
  return results;
}

function parsed<T>(text: string, why: string, validate?: Validate<T>): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(why, { cause });
  }
  return validate ? validate(value) : value;
}

function floats({ values, float32Le: bytes }: Embedding): Float32Array {
  if (values.length > 0) return Float32Array.from(values);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) =>
    view.getFloat32(4 * i, true),
  );
}
