/** The TypeScript client of the Interlingua LLM gateway; the contract's messages are in `./v1`. */
export { type BatchOptions, Client } from './client.js';
export type { CallOptions, ClientOptions, Tls, TraceContext } from './endpoint.js';
export {
  type Code,
  InterlinguaError,
  type Reason,
  type Resource,
  StreamBrokenError,
  type Violation,
} from './errors.js';
export {
  type Content,
  type JsonSchema,
  type MessageInput,
  type Prompt,
  assistant,
  audio,
  developer,
  file,
  functionTool,
  image,
  jsonSchema,
  system,
  toolCall,
  toolResult,
  user,
  video,
} from './messages.js';
export {
  type DeliveryOptions,
  type EmbedInputs,
  type EmbedOptions,
  type GenerateOptions,
  duration,
} from './requests.js';
export {
  type BatchResult,
  EmbedResult,
  type FinishReasonName,
  GenerateResult,
  type Validate,
  toolArguments,
} from './results.js';
export type { GenerateStream } from './stream.js';
