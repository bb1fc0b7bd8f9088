/** The client. */
import {
  GatewayServiceService,
  type HealthResponse,
} from './gen/interlingua/v1/gateway_service.js';
import type { BatchGenerateResponse, CountTokensResponse } from './gen/interlingua/v1/generate.js';
import { type Model, ModelServiceService } from './gen/interlingua/v1/model_service.js';
import { Connection } from './connection.js';
import { type CallOptions, type ClientOptions, Endpoint } from './endpoint.js';
import { InterlinguaError } from './errors.js';
import type { Prompt } from './messages.js';
import {
  type EmbedInputs,
  type EmbedOptions,
  type GenerateOptions,
  embedRequest,
  generateRequest,
} from './requests.js';
import { type BatchResult, EmbedResult, GenerateResult, batchResults } from './results.js';
import { GenerateStream } from './stream.js';

/** Options of a batch: those of generating hold for each of its prompts. */
export interface BatchOptions extends GenerateOptions {
  /** How many to run at the same time at most; left out, the gateway decides. */
  readonly maxParallel?: number | undefined;
}

/**
 * A connection to a gateway. It connects at its first use, serves any number of calls at the same
 * time, and does not keep the process alive.
 *
 * Calls fail with InterlinguaError, and with TypeError for arguments that the contract cannot hold.
 */
export class Client implements Disposable {
  readonly #connection: Connection;

  /**
   * `address` is `host:port`, `unix:/path` or another gRPC target; left out, the environment's
   * INTERLINGUA_ADDRESS counts, then 127.0.0.1:50051. Throws TypeError for options that cannot be.
   */
  constructor(address?: string, options: ClientOptions = {}) {
    this.#connection = new Connection(new Endpoint(address, options));
  }

  /** Ends the connection once the calls on it have ended. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Answers a text, a conversation or a whole request, when the model has finished. */
  async generate(prompt: Prompt, options: GenerateOptions = {}): Promise<GenerateResult> {
    const request = generateRequest(prompt, options);
    const method = GatewayServiceService.generate;
    return new GenerateResult(await this.#connection.unary(method, request, options));
  }

  /** Answers like `generate`, event by event. */
  stream(prompt: Prompt, options: GenerateOptions = {}): GenerateStream {
    return new GenerateStream(this.#connection, generateRequest(prompt, options), options);
  }

  /** Turns texts, or sequences of token ids, into vectors, one for each, in their order. */
  async embed(inputs: EmbedInputs, options: EmbedOptions = {}): Promise<EmbedResult> {
    const request = embedRequest(inputs, options);
    const method = GatewayServiceService.embed;
    return new EmbedResult(await this.#connection.unary(method, request, options));
  }

  /**
   * Answers several prompts, in their order; what failed is an InterlinguaError in its place.
   * Rejects only if the batch failed before its first result.
   */
  async batch(prompts: readonly Prompt[], options: BatchOptions = {}): Promise<BatchResult[]> {
    const { maxParallel, ...each } = options;
    const requests = prompts.map((prompt) => generateRequest(prompt, each));
    const method = GatewayServiceService.batchGenerate;
    const arrived: BatchGenerateResponse[] = [];
    let failure: InterlinguaError | undefined;
    try {
      const results = this.#connection.stream(method, { requests, maxParallel }, options);
      for await (const result of results) arrived.push(result);
    } catch (error) {
      if (!(error instanceof InterlinguaError)) throw error;
      failure = error;
    }
    return batchResults(requests.length, arrived, failure);
  }

  /** Counts the input tokens that `generate` would have with the same arguments. */
  async countTokens(prompt: Prompt, options: GenerateOptions = {}): Promise<CountTokensResponse> {
    const request = { request: generateRequest(prompt, options) };
    return this.#connection.unary(GatewayServiceService.countTokens, request, options);
  }

  /** Every model that you may name, by name; the time limit holds for each page of them. */
  async models(options: CallOptions = {}): Promise<Model[]> {
    const models: Model[] = [];
    let pageToken = '';
    do {
      const request = { pageSize: 0, pageToken, requiredCapabilities: [] };
      const page = await this.#connection.unary(ModelServiceService.listModels, request, options);
      models.push(...page.models);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return models;
  }

  /** One model. Rejects with NOT_FOUND if there is none of that name. */
  async model(name: string, options: CallOptions = {}): Promise<Model | undefined> {
    const method = ModelServiceService.getModel;
    return (await this.#connection.unary(method, { name }, options)).model;
  }

  /** How the gateway and its providers, or only `provider`, are. */
  async health(provider = '', options: CallOptions = {}): Promise<HealthResponse> {
    return this.#connection.unary(GatewayServiceService.health, { provider }, options);
  }
}
