/** Puts the parts of one candidate together from the deltas of a stream. */
import { type Media, Part, type ToolCall } from './gen/interlingua/v1/content.js';
import {
  Candidate,
  type MediaDelta,
  MediaDeltaKind,
  type ReasoningDelta,
  type StreamGenerateResponse,
  type ToolCallDelta,
} from './gen/interlingua/v1/generate.js';

type Event = NonNullable<StreamGenerateResponse['event']>;
type Content = NonNullable<Part['content']>;

/** An event that belongs to a candidate; the others belong to the whole call. */
export type CandidateEvent = Extract<
  Event,
  {
    $case: 'textDelta' | 'reasoningDelta' | 'toolCallDelta' | 'mediaDelta' | 'logprobs' | 'finish';
  }
>;

/** A candidate in the making: its parts in the order in which they began. */
export class CandidateBuilder {
  readonly #candidate: Candidate;
  readonly #calls = new Map<number, ToolCall>();
  readonly #sounds = new Map<Media, Uint8Array[]>();

  constructor(index: number) {
    this.#candidate = Candidate.create({ index });
  }

  add(event: CandidateEvent): void {
    switch (event.$case) {
      case 'textDelta':
        this.#addText(event.value);
        break;
      case 'reasoningDelta':
        this.#addReasoning(event.value);
        break;
      case 'toolCallDelta':
        this.#addCall(event.value);
        break;
      case 'mediaDelta':
        this.#addMedia(event.value);
        break;
      case 'logprobs':
        this.#candidate.logprobs.push(...event.value.tokens);
        break;
      case 'finish':
        this.#candidate.finish = event.value;
    }
  }

  /** A copy of what has come; what comes later does not change it. */
  snapshot(): Candidate {
    for (const [media, fragments] of this.#sounds) {
      const whole = Buffer.concat(fragments);
      media.source = { $case: 'data', value: new Uint8Array(whole) };
      this.#sounds.set(media, [whole]);
    }
    return Candidate.fromPartial(this.#candidate);
  }

  get #last(): Content | undefined {
    return this.#candidate.parts.at(-1)?.content;
  }

  #begin<C extends Content>(content: C): C {
    this.#candidate.parts.push({ content });
    return content;
  }

  #addText(text: string): void {
    const last = this.#last;
    if (last?.$case === 'text') last.value += text;
    else this.#begin({ $case: 'text', value: text });
  }

  #addReasoning({ text, signature, redacted }: ReasoningDelta): void {
    const last = this.#last;
    const goesOn =
      last?.$case === 'reasoning' &&
      last.value.signature.length === 0 &&
      last.value.redacted === redacted;
    if (goesOn) {
      last.value.text += text;
      last.value.signature = signature;
    } else {
      this.#begin({ $case: 'reasoning', value: { text, signature, redacted } });
    }
  }

  #addCall({ callIndex, id, name, argumentsJsonFragment }: ToolCallDelta): void {
    let call = this.#calls.get(callIndex);
    if (call === undefined) {
      call = { id: '', name: '', argumentsJson: '' };
      this.#calls.set(callIndex, call);
      this.#begin({ $case: 'toolCall', value: call });
    }
    call.id ||= id;
    call.name ||= name;
    call.argumentsJson += argumentsJsonFragment;
  }

  #addMedia({ kind, media }: MediaDelta): void {
    if (media === undefined) return;
    if (kind !== MediaDeltaKind.AUDIO) {
      this.#begin({ $case: 'image', value: media });
      return;
    }
    const last = this.#last;
    const sound =
      last?.$case === 'audio' ? last : this.#begin({ $case: 'audio', value: { ...media } });
    if (media.source?.$case !== 'data') return;
    const fragments = this.#sounds.get(sound.value) ?? [];
    fragments.push(media.source.value);
    this.#sounds.set(sound.value, fragments);
  }
}
