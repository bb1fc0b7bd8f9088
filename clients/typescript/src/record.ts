/** The record of a stream: puts its events together and knows whether the answer is whole. */
import {
  CallReport,
  GenerateResponse,
  type StreamCompleted,
  type StreamGenerateResponse,
} from './gen/interlingua/v1/generate.js';
import { CandidateBuilder, type CandidateEvent } from './assembly.js';
import { InterlinguaError, StreamBrokenError, cancelled, cutOff } from './errors.js';
import { GenerateResult } from './results.js';

type Event = NonNullable<StreamGenerateResponse['event']>;

/**
 * What has come of one stream. `response` is there only after the `completed` event and an OK
 * status; whatever ends the stream otherwise is kept as its failure.
 */
export class StreamRecord {
  readonly #answer = GenerateResponse.create();
  readonly #candidates = new Map<number, CandidateBuilder>();
  #next = 0n;
  #completed = false;
  #ended = false;
  #failure: InterlinguaError | undefined;

  /** The whole answer. Throws the stream's failure, or Error if it goes on. */
  get response(): GenerateResult {
    if (this.#failure) throw this.#failure;
    if (!this.#ended) throw new Error('the stream goes on: read it to its end first');
    return this.partial;
  }

  /** The answer as far as it has come; nothing says that it is whole. */
  get partial(): GenerateResult {
    const answer = GenerateResponse.fromPartial(this.#answer);
    const byIndex = [...this.#candidates].sort(([a], [b]) => a - b);
    answer.candidates = byIndex.map(([, candidate]) => candidate.snapshot());
    return new GenerateResult(answer);
  }

  get failure(): InterlinguaError | undefined {
    return this.#failure;
  }

  /** Takes the next event. Throws StreamBrokenError if one is missing or comes too late. */
  add({ sequence, candidateIndex, event }: StreamGenerateResponse): void {
    if (sequence !== this.#next || this.#completed) {
      const lost = this.#completed ? 'an event came after the last' : 'an event was lost';
      throw this.fail(new StreamBrokenError(lost, 'DATA_LOSS'));
    }
    this.#next += 1n;
    if (event !== undefined) this.#take(event, candidateIndex);
  }

  /** Notes that the stream ended with status OK. Throws StreamBrokenError if it may not. */
  end(): void {
    if (!this.#completed) {
      const text = 'the stream ended without its last event';
      throw this.fail(new StreamBrokenError(text, 'DATA_LOSS'));
    }
    this.#ended = true;
  }

  /** Notes that the reader left the stream, which is a failure unless it has ended. */
  close(): void {
    if (!this.#ended) this.fail(cancelled(new Error('the stream was closed before its end')));
  }

  /** Notes that the stream failed, and returns what to throw for it; the first failure counts. */
  fail(error: InterlinguaError): InterlinguaError {
    this.#failure ??= this.#next > 0n ? cutOff(error) : error;
    return this.#failure;
  }

  #take(event: Event, candidateIndex: number): void {
    switch (event.$case) {
      case 'start':
        this.#answer.operationId = event.value.operationId;
        this.#answer.answeredBy = event.value.answeredBy;
        break;
      case 'usage':
        this.#answer.usage = event.value;
        break;
      case 'attempt':
        this.#answer.report ??= CallReport.create();
        this.#answer.report.attempts.push(event.value);
        break;
      case 'completed':
        this.#complete(event.value);
        break;
      default:
        this.#addToCandidate(event, candidateIndex);
    }
  }

  #addToCandidate(event: CandidateEvent, index: number): void {
    let candidate = this.#candidates.get(index);
    if (candidate === undefined) {
      candidate = new CandidateBuilder(index);
      this.#candidates.set(index, candidate);
    }
    candidate.add(event);
  }

  #complete({ report, usage, cost }: StreamCompleted): void {
    this.#completed = true;
    this.#answer.report = report;
    this.#answer.usage = usage ?? this.#answer.usage;
    this.#answer.cost = cost ?? this.#answer.cost;
  }
}
