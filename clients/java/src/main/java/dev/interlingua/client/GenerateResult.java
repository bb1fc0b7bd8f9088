package dev.interlingua.client;

import com.google.gson.Gson;
import dev.interlingua.v1.Candidate;
import dev.interlingua.v1.FinishReason;
import dev.interlingua.v1.GenerateResponse;
import dev.interlingua.v1.Message;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.Role;
import dev.interlingua.v1.ToolCall;
import dev.interlingua.v1.Usage;
import dev.interlingua.v1.Warning;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * An answer. What is said of one candidate here is said of the first; {@link #raw} has all.
 *
 * @param raw the contract's response
 */
public record GenerateResult(GenerateResponse raw) {
  /** The text parts, joined; empty if the model only called tools. */
  public String text() {
    return first().getPartsList().stream().map(Part::getText).collect(Collectors.joining());
  }

  /**
   * The text as a value of a type, where {@link Formats#jsonSchema} asked for JSON; records and
   * plain classes, read by Gson. For another JSON library give it {@link #text}.
   *
   * @throws com.google.gson.JsonParseException if the text is not JSON of that type, as when {@link
   *     #finishReason} says that it was cut
   */
  public <T> T json(Class<T> type) {
    return new Gson().fromJson(text(), type);
  }

  /** What the model shows of its reasoning, joined; empty if nothing. */
  public String reasoning() {
    return first().getPartsList().stream()
        .map(part -> part.getReasoning().getText())
        .collect(Collectors.joining());
  }

  /** The calls that the model wants made. */
  public List<ToolCall> toolCalls() {
    return first().getPartsList().stream()
        .filter(Part::hasToolCall)
        .map(Part::getToolCall)
        .toList();
  }

  /** The answer as a message, to be appended to the conversation when it goes on. */
  public Message message() {
    return Message.newBuilder()
        .setRole(Role.ROLE_ASSISTANT)
        .addAllParts(first().getPartsList())
        .build();
  }

  /** Why it ended; FINISH_REASON_UNSPECIFIED if it has not. */
  public FinishReason finishReason() {
    return first().getFinish().getReason();
  }

  /** Tokens of the whole call, with a flag that says whether they are estimated. */
  public Usage usage() {
    return raw.getUsage();
  }

  /** What the call cost in 1e-9 USD; empty if the price of the model is unknown. */
  public OptionalLong costNanoUsd() {
    return raw.hasCost() ? OptionalLong.of(raw.getCost().getCostNanoUsd()) : OptionalLong.empty();
  }

  /** What of the request was not honoured, where it allows that. */
  public List<Warning> warnings() {
    return raw.getReport().getWarningsList();
  }

  /** The gateway's name for the call; quote it when asking for help. */
  public String operationId() {
    return raw.getOperationId();
  }

  private Candidate first() {
    return raw.getCandidatesCount() == 0 ? Candidate.getDefaultInstance() : raw.getCandidates(0);
  }
}
