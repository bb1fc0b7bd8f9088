//! The client against a gateway over real gRPC.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interlingua::rpc::{self, BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo};
use interlingua::v1::{
    BatchGenerateResponse, Candidate, GenerateRequest, GenerateResponse, batch_generate_response,
};
use interlingua::{Client, Code, Resource, Tls, TraceContext, Violation};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use support::{Gateway, Script, completed, numbered, text};

fn answering(
    method: impl Fn(Request<GenerateRequest>) -> Result<GenerateResponse, Status>
    + Send
    + Sync
    + 'static,
) -> Script {
    Script {
        generate: Box::new(method),
        ..Script::default()
    }
}

fn streaming(events: Vec<Result<interlingua::v1::StreamGenerateResponse, Status>>) -> Script {
    let events = Mutex::new(Some(events));
    let stream = move |_| {
        let events = events.lock().unwrap().take().unwrap();
        Ok(Box::pin(tokio_stream::iter(events)) as support::Events<_>)
    };
    Script {
        stream: Box::new(stream),
        ..Script::default()
    }
}

/// Streams a start and a text, then nothing; the receiver ends when the call was cancelled.
fn endless() -> (Script, oneshot::Receiver<()>) {
    let (alive, left) = oneshot::channel::<()>();
    let alive = Mutex::new(Some(alive));
    let stream = move |_| {
        let alive = alive.lock().unwrap().take();
        let (open, rest) = mpsc::channel(1);
        let rest = tokio_stream::wrappers::ReceiverStream::new(rest);
        let events = tokio_stream::iter(numbered(vec![text("a")])).chain(rest);
        let events = events.map(move |event| {
            let _ = (&alive, &open);
            event
        });
        Ok(Box::pin(events) as support::Events<_>)
    };
    (
        Script {
            stream: Box::new(stream),
            ..Script::default()
        },
        left,
    )
}

fn packed(name: &str, message: &impl Message) -> prost_types::Any {
    let type_url = format!("type.googleapis.com/google.rpc.{name}");
    prost_types::Any {
        type_url,
        value: message.encode_to_vec(),
    }
}

#[tokio::test]
async fn an_error_tells_all_that_the_gateway_sent() {
    let info = ErrorInfo {
        reason: "ERROR_REASON_RATE_LIMITED".into(),
        domain: "interlingua".into(),
        metadata: [("operation_id".into(), "01J".into())].into(),
    };
    let retry = RetryInfo {
        retry_delay: Some(prost_types::Duration {
            seconds: 1,
            nanos: 5,
        }),
    };
    let field = rpc::bad_request::FieldViolation {
        field: "model".into(),
        description: "no".into(),
        ..Default::default()
    };
    let quota = rpc::quota_failure::Violation {
        subject: "rpm".into(),
        description: "60".into(),
        ..Default::default()
    };
    let resource = ResourceInfo {
        resource_type: "model".into(),
        resource_name: "gpt".into(),
        ..Default::default()
    };
    let details = rpc::Status {
        code: 8,
        message: "Too many.".into(),
        details: vec![
            packed("ErrorInfo", &info),
            packed("RetryInfo", &retry),
            packed(
                "BadRequest",
                &BadRequest {
                    field_violations: vec![field],
                },
            ),
            packed(
                "QuotaFailure",
                &QuotaFailure {
                    violations: vec![quota],
                },
            ),
            packed("ResourceInfo", &resource),
        ],
    };
    let details = details.encode_to_vec();
    let gateway = Gateway::start(answering(move |_| {
        let code = Code::ResourceExhausted;
        Err(Status::with_details(
            code,
            "Too many.",
            details.clone().into(),
        ))
    }));
    let error = gateway.client().generate("Hello").await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.reason(), "ERROR_REASON_RATE_LIMITED");
    assert_eq!(error.operation_id(), "01J");
    assert_eq!(error.retry_delay(), Some(Duration::new(1, 5)));
    let violation = |subject: &str, description: &str| Violation {
        subject: subject.into(),
        description: description.into(),
    };
    assert_eq!(
        error.violations(),
        [violation("model", "no"), violation("rpm", "60")]
    );
    let resource = Resource {
        kind: "model".into(),
        name: "gpt".into(),
    };
    assert_eq!(error.resource(), Some(&resource));
    let shown = "ERROR_REASON_RATE_LIMITED: Too many.; model: no; rpm: 60";
    assert_eq!(error.to_string(), shown);
}

#[tokio::test]
async fn details_that_cannot_be_read_do_not_hide_the_status() {
    let gateway = Gateway::start(answering(|_| {
        Err(Status::with_details(
            Code::Internal,
            "Broken.",
            vec![255, 255].into(),
        ))
    }));
    let error = gateway.client().generate("Hello").await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Internal, ""));
}

#[tokio::test]
async fn unavailable_before_any_answer_is_repeated_unless_forbidden() {
    async fn calls_until(status: fn() -> Status) -> (u32, bool) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let gateway = Gateway::start(answering(move |_| {
            let earlier = counted.fetch_add(1, Ordering::Relaxed);
            if earlier < 2 {
                Err(status())
            } else {
                Ok(GenerateResponse::default())
            }
        }));
        let answered = gateway.client().generate("Hello").await.is_ok();
        (calls.load(Ordering::Relaxed), answered)
    }
    assert_eq!(
        calls_until(|| Status::unavailable("not now")).await,
        (3, true)
    );
    assert_eq!(
        calls_until(|| Status::internal("a fault")).await,
        (1, false)
    );
    let forbidden = || {
        let mut status = Status::unavailable("tried enough");
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", "-1".parse().unwrap());
        status
    };
    assert_eq!(calls_until(forbidden).await, (1, false));
}

#[tokio::test]
async fn a_gateway_that_came_back_is_found_again() {
    let answer = || answering(|_| Ok(GenerateResponse::default()));
    let gateway = Gateway::start(answer());
    let client = gateway.client();
    client.generate("Hello").await.unwrap();
    let _gateway = gateway.replaced(answer()).await;
    client.generate("Hello").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_unavailable() {
    let client = Client::new("unix:/nowhere/at/all.sock").unwrap();
    let error = client.generate("Hello").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!error.is_broken_stream());
}

#[tokio::test]
async fn a_stream_is_read_event_by_event() {
    let gateway = Gateway::start(streaming(numbered(vec![
        text("Hel"),
        text("lo"),
        completed(),
    ])));
    let mut stream = gateway.client().stream("Hello").await.unwrap();
    let mut seen = String::new();
    while let Some(text) = stream.next_text().await.unwrap() {
        assert!(stream.response().is_none());
        seen.push_str(&text);
    }
    let answer = stream.response().unwrap();
    assert_eq!(
        (seen.as_str(), answer.operation_id.as_str()),
        ("Hello", "01J")
    );
    assert_eq!(answer.text(), "Hello");
}

#[tokio::test]
async fn it_is_a_stream_for_combinators() {
    let gateway = Gateway::start(streaming(numbered(vec![text("a"), completed()])));
    let stream = gateway.client().stream("Hello").await.unwrap();
    let sequence: Vec<u64> = stream.map(|event| event.unwrap().sequence).collect().await;
    assert_eq!(sequence, [0, 1, 2]);
}

#[tokio::test]
async fn dropping_a_stream_cancels_the_call() {
    let (script, left) = endless();
    let gateway = Gateway::start(script);
    let mut stream = gateway.client().stream("Hello").await.unwrap();
    assert_eq!(stream.next_text().await.unwrap().as_deref(), Some("a"));
    assert_eq!(stream.partial().text(), "a");
    drop(stream);
    left.await.unwrap_err(); // the gateway dropped what it was about to send
}

#[tokio::test]
async fn a_spent_deadline_ends_a_stream() {
    let (script, left) = endless();
    let gateway = Gateway::start(script);
    let client = gateway.client().with_timeout(Duration::from_millis(100));
    let mut stream = client.stream("Hello").await.unwrap();
    assert_eq!(stream.next_text().await.unwrap().as_deref(), Some("a"));
    let error = stream.next_text().await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(!error.is_broken_stream());
    assert!(stream.next_event().await.unwrap().is_none());
    assert!(stream.response().is_none());
    drop(stream);
    left.await.unwrap_err();
}

#[tokio::test]
async fn a_stream_that_lacks_its_end_is_broken() {
    let gateway = Gateway::start(streaming(numbered(vec![text("a")])));
    let error = gateway
        .client()
        .stream("Hello")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DataLoss);
    assert!(error.is_broken_stream());
}

#[tokio::test]
async fn what_is_lost_after_the_first_event_is_no_call_to_be_repeated() {
    let mut events = numbered(vec![text("a")]);
    events.push(Err(Status::unavailable("gone")));
    let gateway = Gateway::start(streaming(events));
    let error = gateway
        .client()
        .stream("Hello")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.is_broken_stream());
}

#[tokio::test]
async fn credentials_trace_and_metadata_go_out_with_each_call() {
    let seen: Arc<Mutex<Vec<MetadataMap>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let gateway = Gateway::start(answering(move |request| {
        kept.lock().unwrap().push(request.metadata().clone());
        Ok(GenerateResponse::default())
    }));
    let trace = |traceparent: &str| TraceContext {
        traceparent: traceparent.into(),
        tracestate: "a=b".into(),
    };
    let uses = AtomicU32::new(1);
    let ambient = trace("ambient");
    let client = gateway
        .builder()
        .token_source(move || {
            let number = uses.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, std::io::Error>(format!("t{number}")) }
        })
        .trace_context(move || Some(ambient.clone()))
        .build()
        .unwrap();
    client.generate("Hello").await.unwrap();
    let own = client.with_trace_context(&trace("own")).unwrap();
    own.with_metadata("x-own", "x")
        .unwrap()
        .generate("Hello")
        .await
        .unwrap();
    let keyed = gateway.builder().api_key("key").build().unwrap();
    keyed.generate("Hello").await.unwrap();

    let keys = ["authorization", "traceparent", "tracestate", "x-own"];
    let seen = seen.lock().unwrap();
    let values = |metadata: &MetadataMap| {
        let value = |key| {
            metadata
                .get(key)
                .and_then(|value| value.to_str().ok().map(String::from))
        };
        keys.into_iter().filter_map(value).collect::<Vec<_>>()
    };
    assert_eq!(values(&seen[0]), ["Bearer t1", "ambient", "a=b"]);
    assert_eq!(values(&seen[1]), ["Bearer t2", "own", "a=b", "x"]);
    assert_eq!(values(&seen[2]), ["Bearer key"]);
}

#[tokio::test]
async fn a_token_source_that_fails_or_hangs_does_not_take_the_call_with_it() {
    let gateway = Gateway::start(Script::default());
    let failing = || async { Err::<String, _>("no network") };
    let client = gateway.builder().token_source(failing).build().unwrap();
    let error = client.generate("Hello").await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let hanging = std::future::pending::<Result<String, std::io::Error>>;
    let client = gateway.builder().token_source(hanging).build().unwrap();
    let client = client.with_timeout(Duration::from_millis(20));
    let error = client.generate("Hello").await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_batch_keeps_the_order_and_has_errors_in_their_places() {
    let batch = |_| {
        let error = rpc::Status {
            code: 5,
            message: "none".into(),
            details: vec![],
        };
        let answer = GenerateResponse {
            operation_id: "second".into(),
            ..Default::default()
        };
        let results = [
            (1, batch_generate_response::Result::Response(answer)),
            (0, batch_generate_response::Result::Error(error)),
        ];
        let results = results.map(|(index, result)| {
            Ok(BatchGenerateResponse {
                index,
                result: Some(result),
            })
        });
        Ok(Box::pin(tokio_stream::iter(results)) as support::Events<_>)
    };
    let gateway = Gateway::start(Script {
        batch: Box::new(batch),
        ..Script::default()
    });
    let results = gateway.client().batch(vec!["a", "b", "c"]).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap_err().code(), Code::NotFound);
    assert_eq!(results[1].as_ref().unwrap().operation_id, "second");
    assert_eq!(results[2].as_ref().unwrap_err().code(), Code::DataLoss);

    let gateway = Gateway::start(Script::default());
    let error = gateway.client().batch(vec!["a"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_message_larger_than_4_mib_goes_and_comes() {
    let gateway = Gateway::start(answering(|request| {
        let parts = request.into_inner().messages.remove(0).parts;
        let candidates = vec![Candidate {
            parts,
            ..Default::default()
        }];
        Ok(GenerateResponse {
            candidates,
            ..Default::default()
        })
    }));
    let long = "x".repeat(5 << 20);
    assert_eq!(
        gateway
            .client()
            .generate(long.as_str())
            .await
            .unwrap()
            .text(),
        long
    );
}

#[test]
fn what_cannot_be_is_refused_at_once_without_the_key() {
    let error = Client::builder().api_key("secret\n").build().unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(!format!("{error} {error:?}").contains("secret"));
    for address in ["", "nowhere", "host:port", "host:99999", "a b:1"] {
        assert_eq!(
            Client::new(address).unwrap_err().code(),
            Code::InvalidArgument,
            "{address}"
        );
    }
    let tls = Tls {
        root_certificates: Some("no certificate".into()),
        ..Tls::default()
    };
    let built = Client::builder().address("localhost:1").tls(tls).build();
    assert_eq!(built.unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn futures_of_calls_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let client = Client::new("localhost:1").unwrap();
    spawnable(client.generate("Hello"));
    spawnable(client.stream("Hello"));
    spawnable(client.batch(vec!["Hello"]));
}
