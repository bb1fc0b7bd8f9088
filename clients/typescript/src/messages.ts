/** Constructors of messages, parts, tools and formats, and the forms that a prompt may have. */
import {
  MediaDetail,
  type Media,
  type Message,
  type Part,
  type ResponseFormat,
  Role,
  type Tool,
  type ToolCall,
} from './gen/interlingua/v1/content.js';
import type { GenerateRequest } from './gen/interlingua/v1/generate.js';

/** What a message or a tool's result is made of: a text, or parts and texts. */
export type Content = string | readonly (string | Part)[];

/** A message as a plain object: `{ role: 'user', content: 'Hello' }`. */
export interface MessageInput {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content: Content;
  readonly name?: string;
}

/** What to answer: a text of the user, a conversation, or a whole request of the contract. */
export type Prompt = string | readonly (Message | MessageInput)[] | GenerateRequest;

/** JSON Schema, as an object or as JSON text. */
export type JsonSchema = object | string;

/** A message with instructions that stand above the conversation. */
export function system(...parts: readonly (string | Part)[]): Message {
  return message(Role.SYSTEM, parts);
}

/** A message with instructions of the application. */
export function developer(...parts: readonly (string | Part)[]): Message {
  return message(Role.DEVELOPER, parts);
}

/** A message of the person or program that asks. */
export function user(...parts: readonly (string | Part)[]): Message {
  return message(Role.USER, parts);
}

/** A message of the model. To continue from an answer, send its `message` back instead. */
export function assistant(...parts: readonly (string | Part)[]): Message {
  return message(Role.ASSISTANT, parts);
}

/** A tool call as part of a message of the model; `args` is JSON text, or is made into it. */
export function toolCall(id: string, name: string, args: unknown): Part {
  const argumentsJson = typeof args === 'string' ? args : JSON.stringify(args);
  return { content: { $case: 'toolCall', value: { id, name, argumentsJson } } };
}

/**
 * A message with what a tool returned for `call`. `isError` says that the tool failed and that
 * `content` describes the failure.
 */
export function toolResult(
  call: Pick<ToolCall, 'id' | 'name'>,
  content: Content,
  { isError = false }: { isError?: boolean } = {},
): Message {
  const value = { toolCallId: call.id, name: call.name, parts: partsOf(content), isError };
  return message(Role.TOOL, [{ content: { $case: 'toolResult', value } }]);
}

/** A picture: its bytes with their MIME type, or a URI that the provider can fetch. */
export function image(
  source: Uint8Array | string,
  mimeType = '',
  { detail }: { detail?: 'low' | 'high' } = {},
): Part {
  const value = media(source, mimeType);
  if (detail !== undefined) value.detail = enumValue(MediaDetail, 'detail', detail);
  return { content: { $case: 'image', value } };
}

/** Sound: its bytes with their MIME type, or a URI that the provider can fetch. */
export function audio(source: Uint8Array | string, mimeType = ''): Part {
  return { content: { $case: 'audio', value: media(source, mimeType) } };
}

/** Moving pictures: their bytes with their MIME type, or a URI that the provider can fetch. */
export function video(source: Uint8Array | string, mimeType = ''): Part {
  return { content: { $case: 'video', value: media(source, mimeType) } };
}

/** A document: its bytes with their MIME type, or a URI; `name` is what the model is told. */
export function file(
  source: Uint8Array | string,
  mimeType = '',
  { name = '' }: { name?: string } = {},
): Part {
  return { content: { $case: 'file', value: { ...media(source, mimeType), name } } };
}

/**
 * A function that the model may call. `parameters` is the JSON Schema of its arguments; left out
 * it takes none. `strict` asks the provider to hold the arguments to the schema exactly.
 */
export function functionTool(tool: {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: JsonSchema;
  readonly strict?: boolean;
}): Tool {
  return {
    name: tool.name,
    description: tool.description ?? '',
    parametersJsonSchema: jsonText(tool.parameters ?? ''),
    strict: tool.strict,
  };
}

/**
 * The response format of a JSON value that satisfies `schema`. `name` is told to the model;
 * `strict` asks the provider to hold the answer to the schema.
 */
export function jsonSchema(
  schema: JsonSchema,
  { name = 'answer', strict }: { name?: string; strict?: boolean } = {},
): ResponseFormat {
  const value = { name, schemaJson: jsonText(schema), strict };
  return { format: { $case: 'jsonSchema', value } };
}

/** The messages of a prompt that is not a whole request. */
export function conversation(prompt: string | readonly (Message | MessageInput)[]): Message[] {
  if (typeof prompt === 'string') return [user(prompt)];
  return prompt.map((given) => {
    if (!('content' in given)) return given;
    const role = enumValue(Role, 'role', given.role);
    return { role, parts: partsOf(given.content), name: given.name ?? '' };
  });
}

/** `value` as JSON text; a text is taken as it stands. */
export function jsonText(value: object | string): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The value that the contract calls NAME; TypeError names the possible ones. */
export function enumValue<E extends Record<string, string | number>>(
  type: E,
  option: string,
  name: string,
): Extract<E[keyof E], number> {
  const value = type[name.toUpperCase()];
  if (typeof value === 'number' && value !== 0) return value as Extract<E[keyof E], number>;
  const names = Object.keys(type).filter((key) => Number(type[key]) > 0);
  const known = names.map((key) => key.toLowerCase()).join(', ');
  throw new TypeError(`${option} must be one of ${known}; not ${JSON.stringify(name)}`);
}

function message(role: Role, parts: readonly (string | Part)[]): Message {
  return { role, parts: partsOf(parts), name: '' };
}

function partsOf(content: Content): Part[] {
  const parts = typeof content === 'string' ? [content] : content;
  return parts.map((part) =>
    typeof part === 'string' ? { content: { $case: 'text', value: part } } : part,
  );
}

function media(source: Uint8Array | string, mimeType: string): Media {
  const common = { mimeType, detail: MediaDetail.UNSPECIFIED, name: '' };
  if (typeof source === 'string') return { ...common, source: { $case: 'uri', value: source } };
  if (mimeType === '') throw new TypeError('media given as bytes needs its MIME type');
  return { ...common, source: { $case: 'data', value: source } };
}
