package dev.interlingua.client;

import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import dev.interlingua.v1.ErrorReason;
import io.grpc.Status;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call that failed, as the gateway or gRPC reports it. */
public class InterlinguaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;
  private final String description;
  private final transient com.google.rpc.Status details;
  private final String reason;
  private final transient Map<String, String> metadata;
  private final java.time.Duration retryDelay;
  private final transient List<Violation> violations;
  private final transient Resource resource;

  InterlinguaException(
      Status.Code code, String description, com.google.rpc.Status details, Throwable cause) {
    super(StatusDetails.sentence(code, description, details), cause);
    ErrorInfo info = StatusDetails.find(details, ErrorInfo.class).orElse(null);
    this.code = code;
    this.description = description;
    this.details = details;
    this.reason = info == null ? "" : info.getReason();
    this.metadata = info == null ? Map.of() : info.getMetadataMap();
    this.retryDelay =
        StatusDetails.find(details, RetryInfo.class)
            .map(retry -> toJava(retry.getRetryDelay()))
            .orElse(null);
    this.violations = StatusDetails.violations(details);
    this.resource =
        StatusDetails.find(details, ResourceInfo.class)
            .map(found -> new Resource(found.getResourceType(), found.getResourceName()))
            .orElse(null);
  }

  /** The exception for what a stub of gRPC threw. */
  public static InterlinguaException of(Throwable error) {
    if (error instanceof InterlinguaException known) {
      return known;
    }
    Status status = Status.fromThrowable(error);
    com.google.rpc.Status details = StatusDetails.ofThrowable(error);
    String description = status.getDescription() == null ? "" : status.getDescription();
    return make(status.getCode(), description, details, error);
  }

  /** The exception for a status that came inside a message, such as that of a batch's item. */
  public static InterlinguaException of(com.google.rpc.Status status) {
    Status.Code code = Status.fromCodeValue(status.getCode()).getCode();
    return make(code, status.getMessage(), status, null);
  }

  /** The gRPC status code. */
  public Status.Code code() {
    return code;
  }

  /**
   * Why the call failed: the name of a value of {@link ErrorReason}; empty if the failure did not
   * come from the gateway.
   */
  public String reason() {
    return reason;
  }

  /** Whether the call failed for this reason. */
  public boolean is(ErrorReason reason) {
    return this.reason.equals(reason.name());
  }

  /** The gateway's message alone; {@link #getMessage} has the reason and the violations too. */
  public String description() {
    return description;
  }

  /** How long the gateway asks you to wait, if it does. */
  public Optional<java.time.Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }

  /** The fields, quotas or preconditions that stood in the way. */
  public List<Violation> violations() {
    return violations == null ? List.of() : violations;
  }

  /** What there is not, or what else the failure is about. */
  public Optional<Resource> resource() {
    return Optional.ofNullable(resource);
  }

  /** More about the failure, such as {@code phase} or {@code limit}; see {@link ErrorReason}. */
  public Map<String, String> metadata() {
    return metadata == null ? Map.of() : metadata;
  }

  /** The gateway's name for the call; empty if the call did not reach it. */
  public String operationId() {
    return metadata().getOrDefault("operation_id", "");
  }

  /** The whole status with all its details, if the gateway sent one. */
  public Optional<com.google.rpc.Status> details() {
    return Optional.ofNullable(details);
  }

  /**
   * What this means once a stream has begun. A connection that is lost then must not look like a
   * call that can simply be sent again: without a reason of the gateway it becomes a {@link
   * StreamBrokenException} that keeps the code.
   */
  InterlinguaException cutOff() {
    boolean own = code == Status.Code.CANCELLED || code == Status.Code.DEADLINE_EXCEEDED;
    if (own || !reason.isEmpty()) {
      return this;
    }
    return new StreamBrokenException(code, description, details, this);
  }

  private static InterlinguaException make(
      Status.Code code, String description, com.google.rpc.Status details, Throwable cause) {
    if (code == Status.Code.ABORTED) {
      return new StreamBrokenException(code, description, details, cause);
    }
    return new InterlinguaException(code, description, details, cause);
  }

  private static java.time.Duration toJava(Duration delay) {
    return java.time.Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
  }
}
