//! The operations during which the gateway goes and comes back.

use std::future::Future;

use interlingua::v1::{GenerateRequest, GenerateResponse};
use interlingua::{Client, Error};
use prost::Message;
use serde_json::{Value, json};

use crate::observe::{self, base64};
use crate::operations::Crash;
use crate::pause;

fn answer(result: Result<GenerateResponse, Error>, whole: bool) -> Value {
    match result {
        Err(error) => json!({"error": observe::error(&error)}),
        Ok(answer) if whole => json!({"response": base64(&answer), "text": answer.text()}),
        Ok(answer) => json!({"text": answer.text()}),
    }
}

/// Calls before and after a restart of the gateway.
pub async fn restart(client: &Client, request: &[u8]) -> Result<Value, Crash> {
    let request = GenerateRequest::decode(request)?;
    let before = answer(client.generate(request.clone()).await, true);
    pause("restart")?;
    Ok(json!({"before": before, "after": answer(client.generate(request).await, true)}))
}

/// Reads streams through a drain of the gateway, and calls the next one.
pub async fn drain(
    client: &Client,
    request: &[u8],
    streams: Option<u32>,
    calls: Option<u32>,
) -> Result<Value, Crash> {
    let request = GenerateRequest::decode(request)?;
    let opening = (0..streams.unwrap_or(1)).map(|_| {
        let (client, request) = (client.clone(), request.clone());
        async move {
            let mut stream = client.stream(request).await?;
            stream.next_event().await?;
            Ok::<_, Error>(stream)
        }
    });
    let opened = together(opening).await?;
    pause("streaming")?;
    let reading = opened.into_iter().map(|stream| async move {
        match stream {
            Ok(mut stream) => {
                let mut text = String::new();
                loop {
                    match stream.next_text().await {
                        Ok(Some(delta)) => text.push_str(&delta),
                        Ok(None) => return json!({"text": text}),
                        Err(error) => {
                            return json!({"text": text, "error": observe::error(&error)});
                        }
                    }
                }
            }
            Err(error) => json!({"text": "", "error": observe::error(&error)}),
        }
    });
    let streams = together(reading).await?;
    pause("drained")?;
    let mut answers = Vec::new();
    for _ in 0..calls.unwrap_or(1) {
        answers.push(answer(client.generate(request.clone()).await, false));
    }
    Ok(json!({"streams": streams, "calls": answers}))
}

/// Runs futures at the same time; their results in order.
async fn together<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Result<Vec<T>, Crash> {
    let tasks: Vec<_> = futures.map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await?);
    }
    Ok(results)
}
