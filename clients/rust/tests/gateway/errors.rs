//! What failed calls tell, and which of them are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use interlingua::rpc::{self, BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo};
use interlingua::v1::GenerateResponse;
use interlingua::{Client, Code, Resource, Violation};
use prost::Message;
use tonic::Status;

use crate::support::{Gateway, answering};

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
