package dev.interlingua.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import dev.interlingua.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class InterlinguaExceptionTest {
  private static final ErrorInfo LIMITED =
      ErrorInfo.newBuilder()
          .setReason("ERROR_REASON_RATE_LIMITED")
          .setDomain("interlingua")
          .putMetadata("operation_id", "op")
          .build();

  private static InterlinguaException thrown(Status status, Message... details) {
    com.google.rpc.Status.Builder rich =
        com.google.rpc.Status.newBuilder()
            .setCode(status.getCode().value())
            .setMessage("Too many.");
    for (Message detail : details) {
      rich.addDetails(Any.pack(detail));
    }
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        rich.build().toByteArray());
    return InterlinguaException.of(
        status.withDescription("Too many.").asRuntimeException(trailers));
  }

  @Test
  void tells_what_the_details_say() {
    QuotaFailure quota =
        QuotaFailure.newBuilder()
            .addViolations(
                QuotaFailure.Violation.newBuilder()
                    .setSubject("requests_per_minute")
                    .setDescription("60 a minute"))
            .build();
    RetryInfo retry =
        RetryInfo.newBuilder()
            .setRetryDelay(
                com.google.protobuf.Duration.newBuilder().setSeconds(1).setNanos(500_000_000))
            .build();
    InterlinguaException error = thrown(Status.RESOURCE_EXHAUSTED, LIMITED, quota, retry);
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, error.code());
    assertEquals("ERROR_REASON_RATE_LIMITED", error.reason());
    assertTrue(error.is(ErrorReason.ERROR_REASON_RATE_LIMITED));
    assertEquals("Too many.", error.description());
    assertEquals(Optional.of(Duration.ofMillis(1500)), error.retryDelay());
    assertEquals(List.of(new Violation("requests_per_minute", "60 a minute")), error.violations());
    assertEquals(Map.of("operation_id", "op"), error.metadata());
    assertEquals("op", error.operationId());
    assertEquals(
        "ERROR_REASON_RATE_LIMITED: Too many.; requests_per_minute: 60 a minute",
        error.getMessage());
  }

  @Test
  void violations_come_from_fields_and_preconditions_too() {
    BadRequest fields =
        BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder()
                    .setField("messages[0].role")
                    .setDescription("must be set"))
            .build();
    PreconditionFailure conditions =
        PreconditionFailure.newBuilder()
            .addViolations(
                PreconditionFailure.Violation.newBuilder()
                    .setSubject("secrets")
                    .setDescription("found"))
            .build();
    assertEquals(
        List.of(new Violation("messages[0].role", "must be set")),
        thrown(Status.INVALID_ARGUMENT, fields).violations());
    assertEquals(
        List.of(new Violation("secrets", "found")),
        thrown(Status.FAILED_PRECONDITION, conditions).violations());
  }

  @Test
  void names_the_resource() {
    ResourceInfo resource =
        ResourceInfo.newBuilder().setResourceType("model").setResourceName("gpt").build();
    assertEquals(
        Optional.of(new Resource("model", "gpt")), thrown(Status.NOT_FOUND, resource).resource());
  }

  @Test
  void a_status_of_grpc_itself_has_no_reason() {
    InterlinguaException error =
        InterlinguaException.of(Status.UNAVAILABLE.withDescription("refused").asException());
    assertEquals("", error.reason());
    assertFalse(error.retryDelay().isPresent());
    assertEquals("UNAVAILABLE: refused", error.getMessage());
  }

  @Test
  void details_that_cannot_be_read_hide_nothing() {
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        new byte[] {(byte) 0xff, 1, 2});
    InterlinguaException error =
        InterlinguaException.of(Status.INTERNAL.asRuntimeException(trailers));
    assertEquals(Status.Code.INTERNAL, error.code());
    assertEquals("", error.reason());
  }

  @Test
  void aborted_is_a_broken_stream() {
    assertInstanceOf(StreamBrokenException.class, thrown(Status.ABORTED));
  }
}
