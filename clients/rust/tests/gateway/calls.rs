//! Calls with one answer, batches, and what goes out with them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interlingua::rpc;
use interlingua::v1::{
    BatchGenerateResponse, Candidate, GenerateResponse, batch_generate_response,
};
use interlingua::{Client, Code, Tls, TraceContext};
use tonic::metadata::MetadataMap;

use crate::support::{Events, Gateway, Script, answering};

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
        Ok(Box::pin(tokio_stream::iter(results)) as Events<_>)
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
