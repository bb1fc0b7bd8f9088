package dev.interlingua.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads the google.rpc details of a status. */
final class StatusDetails {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private StatusDetails() {}

  /** The status in the trailers of what a stub threw; null if there is none that can be read. */
  static com.google.rpc.Status ofThrowable(Throwable error) {
    Metadata trailers = Status.trailersFromThrowable(error);
    byte[] packed = trailers == null ? null : trailers.get(DETAILS);
    if (packed == null) {
      return null;
    }
    try {
      return com.google.rpc.Status.parseFrom(packed);
    } catch (InvalidProtocolBufferException unreadable) {
      return null;
    }
  }

  /** The first detail of a type. */
  static <T extends Message> Optional<T> find(com.google.rpc.Status status, Class<T> type) {
    if (status == null) {
      return Optional.empty();
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(type)) {
        try {
          return Optional.of(detail.unpack(type));
        } catch (InvalidProtocolBufferException unreadable) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  /** The fields, quotas and preconditions that a status names. */
  static List<Violation> violations(com.google.rpc.Status status) {
    List<Violation> found = new ArrayList<>();
    for (var field :
        find(status, BadRequest.class)
            .orElse(BadRequest.getDefaultInstance())
            .getFieldViolationsList()) {
      found.add(new Violation(field.getField(), field.getDescription()));
    }
    for (var quota :
        find(status, QuotaFailure.class)
            .orElse(QuotaFailure.getDefaultInstance())
            .getViolationsList()) {
      found.add(new Violation(quota.getSubject(), quota.getDescription()));
    }
    for (var condition :
        find(status, PreconditionFailure.class)
            .orElse(PreconditionFailure.getDefaultInstance())
            .getViolationsList()) {
      found.add(new Violation(condition.getSubject(), condition.getDescription()));
    }
    return List.copyOf(found);
  }

  /** A status in one line: reason or code, message, violations. */
  static String sentence(Status.Code code, String description, com.google.rpc.Status status) {
    String reason = find(status, ErrorInfo.class).map(ErrorInfo::getReason).orElse("");
    StringBuilder text = new StringBuilder(reason.isEmpty() ? code.name() : reason);
    text.append(": ").append(description);
    for (Violation violation : violations(status)) {
      text.append("; ").append(violation.subject()).append(": ").append(violation.description());
    }
    return text.toString();
  }
}
