/** The options of generating and embedding, and the requests that are made from them. */
import { Duration } from './gen/google/protobuf/duration.js';
import {
  type AudioOutputOptions,
  Modality,
  type ResponseFormat,
  type Tool,
  type ToolChoice,
  ToolMode,
} from './gen/interlingua/v1/content.js';
import { EmbedRequest, EmbedTask, EmbeddingEncoding } from './gen/interlingua/v1/embed.js';
import {
  CacheMode,
  type CacheOptions,
  GenerateRequest,
  Priority,
  ReasoningEffort,
  type ReasoningOptions,
  type RoutingOptions,
  type SafetySetting,
  SamplingOptions,
  UnsupportedParameterPolicy,
} from './gen/interlingua/v1/generate.js';
import type { CallOptions } from './endpoint.js';
import { type Prompt, conversation, enumValue, jsonText } from './messages.js';

/** Options on the way to a model: fields of the contract under their own names. */
export interface DeliveryOptions extends CallOptions {
  /** An alias of the gateway; left out, its `default` answers. */
  readonly model?: string | undefined;
  readonly routing?: Partial<RoutingOptions> | undefined;
  readonly cacheMode?: 'default' | 'bypass' | 'refresh' | 'only_if_cached' | undefined;
  readonly cacheTtlMs?: number | undefined;
  readonly priority?: 'low' | 'normal' | 'high' | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly user?: string | undefined;
  /** Labels kept with the operation; not gRPC metadata. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Merged into the provider's request; an object or JSON text. */
  readonly providerOptions?: object | string | undefined;
  readonly unsupportedParameters?: 'reject' | 'warn' | undefined;
}

/** Options of generating: fields of the contract's GenerateRequest under their own names. */
export interface GenerateOptions extends DeliveryOptions {
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly minP?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  readonly stopSequences?: string | readonly string[] | undefined;
  readonly seed?: number | bigint | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly logitBias?: Readonly<Record<number, number>> | undefined;
  readonly candidateCount?: number | undefined;
  readonly logprobs?: boolean | undefined;
  readonly topLogprobs?: number | undefined;
  readonly tools?: readonly Tool[] | undefined;
  /** A general rule, or the one tool that must be called: `{ tool: name }`. */
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly tool: string } | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  /** A name, or what `jsonSchema` made. */
  readonly responseFormat?: 'text' | 'json_object' | ResponseFormat | undefined;
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'max' | undefined;
  readonly reasoningBudgetTokens?: number | undefined;
  readonly modalities?: readonly ('text' | 'audio' | 'image')[] | undefined;
  readonly audioOutput?: AudioOutputOptions | undefined;
  readonly safetySettings?: readonly SafetySetting[] | undefined;
}

/** Options of embedding: fields of the contract's EmbedRequest under their own names. */
export interface EmbedOptions extends DeliveryOptions {
  readonly dimensions?: number | undefined;
  readonly task?:
    'search_query' | 'search_document' | 'classification' | 'clustering' | 'similarity' | undefined;
  readonly normalize?: boolean | undefined;
}

/** What to embed: texts or sequences of token ids, or a whole request of the contract. */
export type EmbedInputs = string | readonly (string | readonly number[])[] | EmbedRequest;

const OF_CALLS = new Set(['signal', 'timeoutMs', 'traceparent', 'tracestate', 'rpcMetadata']);

/** The request for `prompt`. A whole request is sent as it stands; it takes no options. */
export function generateRequest(prompt: Prompt, options: GenerateOptions): GenerateRequest {
  if (isWhole(prompt, options)) return prompt;
  return GenerateRequest.fromPartial({
    ...delivery(options),
    messages: conversation(prompt),
    sampling: sampling(options),
    tools: [...(options.tools ?? [])],
    toolChoice: toolChoice(options.toolChoice),
    parallelToolCalls: options.parallelToolCalls,
    responseFormat: responseFormat(options.responseFormat),
    reasoning: reasoning(options),
    modalities: options.modalities?.map((name) => enumValue(Modality, 'modalities', name)) ?? [],
    audioOutput: options.audioOutput,
    safetySettings: [...(options.safetySettings ?? [])],
  });
}

/** The request for the vectors of `inputs`, as bytes, which no side has to take apart. */
export function embedRequest(inputs: EmbedInputs, options: EmbedOptions): EmbedRequest {
  if (isWhole(inputs, options)) return inputs;
  const items = typeof inputs === 'string' ? [inputs] : inputs;
  return EmbedRequest.fromPartial({
    ...delivery(options),
    inputs: items.map((item) => ({
      input:
        typeof item === 'string'
          ? { $case: 'text', value: item }
          : { $case: 'tokenIds', value: { ids: [...item] } },
    })),
    dimensions: options.dimensions,
    task: options.task && enumValue(EmbedTask, 'task', options.task),
    normalize: options.normalize ?? false,
    encoding: EmbeddingEncoding.FLOAT32_LE,
  });
}

function isWhole<R extends object>(
  given: string | readonly unknown[] | R,
  options: object,
): given is R {
  if (typeof given === 'string' || Array.isArray(given)) return false;
  if (Object.keys(options).every((key) => OF_CALLS.has(key))) return true;
  throw new TypeError('a whole request takes no model and no options: set its fields');
}

function delivery(options: DeliveryOptions) {
  const { priority, unsupportedParameters: policy } = options;
  return {
    model: options.model ?? '',
    routing: options.routing,
    cache: cache(options),
    priority: priority && enumValue(Priority, 'priority', priority),
    idempotencyKey: options.idempotencyKey ?? '',
    user: options.user ?? '',
    metadata: options.metadata ?? {},
    tags: [...(options.tags ?? [])],
    providerOptionsJson: jsonText(options.providerOptions ?? ''),
    unsupportedParameters:
      policy && enumValue(UnsupportedParameterPolicy, 'unsupportedParameters', policy),
  };
}

function sampling(options: GenerateOptions): SamplingOptions | undefined {
  const { stopSequences: stop, seed } = options;
  const given = {
    temperature: options.temperature,
    topP: options.topP,
    topK: options.topK,
    minP: options.minP,
    maxOutputTokens: options.maxOutputTokens,
    stopSequences: typeof stop === 'string' ? [stop] : stop && [...stop],
    seed: seed === undefined ? undefined : BigInt(seed),
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    logitBias: options.logitBias,
    candidateCount: options.candidateCount,
    logprobs: options.logprobs,
    topLogprobs: options.topLogprobs,
  };
  const anything = Object.values(given).some((value) => value !== undefined);
  return anything ? SamplingOptions.fromPartial(given) : undefined;
}

function toolChoice(given: GenerateOptions['toolChoice']): ToolChoice | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'object') return { choice: { $case: 'toolName', value: given.tool } };
  return { choice: { $case: 'mode', value: enumValue(ToolMode, 'toolChoice', given) } };
}

function responseFormat(given: GenerateOptions['responseFormat']): ResponseFormat | undefined {
  if (typeof given !== 'string') return given;
  const names = { text: 'text', json_object: 'jsonObject' } as const;
  if (!Object.hasOwn(names, given)) {
    throw new TypeError(
      `responseFormat must be text, json_object or jsonSchema(...); not ${JSON.stringify(given)}`,
    );
  }
  return { format: { $case: names[given], value: {} } };
}

function reasoning(options: GenerateOptions): ReasoningOptions | undefined {
  const { reasoningEffort: name, reasoningBudgetTokens: budgetTokens } = options;
  if (name === undefined && budgetTokens === undefined) return undefined;
  const effort = name && enumValue(ReasoningEffort, 'reasoningEffort', name);
  return { effort: effort ?? ReasoningEffort.UNSPECIFIED, budgetTokens };
}

function cache(options: DeliveryOptions): CacheOptions | undefined {
  const { cacheMode, cacheTtlMs } = options;
  if (cacheMode === undefined && cacheTtlMs === undefined) return undefined;
  const mode = cacheMode && enumValue(CacheMode, 'cacheMode', cacheMode);
  const ttl = cacheTtlMs === undefined ? undefined : duration(cacheTtlMs);
  return { mode: mode ?? CacheMode.UNSPECIFIED, ttl };
}

/** A duration of the contract from milliseconds, such as for `routing.hedgeAfter`. */
export function duration(milliseconds: number): Duration {
  const seconds = Math.trunc(milliseconds / 1e3);
  const nanos = Math.round((milliseconds - seconds * 1e3) * 1e6);
  return { seconds: BigInt(seconds), nanos };
}
