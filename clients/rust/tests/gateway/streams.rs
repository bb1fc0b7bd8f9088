//! Streamed answers.

use std::sync::Mutex;
use std::time::Duration;

use interlingua::Code;
use interlingua::v1::StreamGenerateResponse;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tonic::Status;

use crate::support::{Events, Gateway, Script, completed, numbered, text};

fn streaming(events: Vec<Result<StreamGenerateResponse, Status>>) -> Script {
    let events = Mutex::new(Some(events));
    let stream = move |_| {
        let events = events.lock().unwrap().take().unwrap();
        Ok(Box::pin(tokio_stream::iter(events)) as Events<_>)
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
        Ok(Box::pin(events) as Events<_>)
    };
    (
        Script {
            stream: Box::new(stream),
            ..Script::default()
        },
        left,
    )
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
