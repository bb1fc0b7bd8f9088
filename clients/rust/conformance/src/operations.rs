//! The operations of the conformance suite, each through the thin client.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use interlingua::v1::stream_generate_response::Event;
use interlingua::v1::{
    BatchGenerateRequest, CountTokensRequest, EmbedRequest, GenerateRequest, HealthRequest,
};
use interlingua::{Client, Error, Tls, TraceContext};
use prost::Message;
use serde_json::{Value, json};

use crate::observe::{self, Observed, base64};
use crate::{build, choreography, watch};

pub type Crash = Box<dyn StdError>;

#[derive(serde::Deserialize)]
pub struct Scenario {
    pub name: String,
    op: String,
    #[serde(default)]
    request: String,
    #[serde(default)]
    options: Options,
}

#[derive(Default, serde::Deserialize)]
struct Options {
    address: Option<String>,
    tls: Option<TlsFiles>,
    api_key: Option<String>,
    #[serde(default)]
    token_source: bool,
    calls: Option<u32>,
    streams: Option<u32>,
    traceparent: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
    deadline_ms: Option<u64>,
    cancel_after_ms: Option<u64>,
    leave_after_events: Option<usize>,
}

#[derive(serde::Deserialize)]
struct TlsFiles {
    ca_file: String,
    cert_file: Option<String>,
    key_file: Option<String>,
    server_name: Option<String>,
}

pub async fn perform(shared: &Client, address: &str, scenario: &Scenario) -> Result<Value, Crash> {
    let options = &scenario.options;
    let client = match &options.address {
        Some(own) => own_client(own, options)?,
        None => shared.clone(),
    };
    let client = for_calls(client, options)?;
    let request = observe::bytes(&scenario.request)?;
    let calls = if scenario.op == "drain" {
        1
    } else {
        options.calls.unwrap_or(1)
    };
    for _ in 1..calls {
        once(&client, address, &scenario.op, &request, options).await?;
    }
    once(&client, address, &scenario.op, &request, options).await
}

async fn once(
    client: &Client,
    address: &str,
    op: &str,
    request: &[u8],
    options: &Options,
) -> Result<Value, Crash> {
    match op {
        "build" => return Ok(json!({"request": base64(&build::built())})),
        "watch" => return watch::watch(address).await,
        "restart" => return choreography::restart(client, request).await,
        "drain" => {
            return choreography::drain(client, request, options.streams, options.calls).await;
        }
        _ => {}
    }
    let mut observed = Observed::new();
    let call = call(client, op, request, options, &mut observed);
    let ended = match options.cancel_after_ms.map(Duration::from_millis) {
        None => call.await,
        Some(patience) => match tokio::time::timeout(patience, call).await {
            Ok(ended) => ended,
            Err(_) => Ok(Left::Cancelled),
        },
    };
    match ended? {
        Left::Ended(Ok(())) => {}
        Left::Ended(Err(error)) => {
            observed.insert("error".into(), observe::error(&error));
        }
        Left::Cancelled => {
            observed.insert("cancelled".into(), true.into());
        }
    }
    Ok(observed.into())
}

/// How a call ended for its user.
enum Left {
    Ended(Result<(), Error>),
    Cancelled,
}

async fn call(
    client: &Client,
    op: &str,
    request: &[u8],
    options: &Options,
    observed: &mut Observed,
) -> Result<Left, Crash> {
    let ended = match op {
        "generate" => generate(client, request, observed).await?,
        "stream" => return stream(client, request, options, observed).await,
        "embed" => embed(client, request, observed).await?,
        "batch" => batch(client, request, observed).await?,
        "count_tokens" => {
            let request = CountTokensRequest::decode(request)?
                .request
                .unwrap_or_default();
            keep(observed, client.count_tokens(request).await)
        }
        "health" => {
            let provider = HealthRequest::decode(request)?.provider;
            keep(observed, client.health(&provider).await)
        }
        "list_models" => client.models().await.map(|models| {
            let names = models.into_iter().map(|model| model.name);
            observed.insert("models".into(), names.collect());
        }),
        _ => return Err("unknown op".into()),
    };
    Ok(Left::Ended(ended))
}

fn keep(observed: &mut Observed, answer: Result<impl Message, Error>) -> Result<(), Error> {
    observed.insert("response".into(), base64(&answer?));
    Ok(())
}

async fn generate(
    client: &Client,
    request: &[u8],
    observed: &mut Observed,
) -> Result<Result<(), Error>, Crash> {
    let answer = client.generate(GenerateRequest::decode(request)?).await;
    if let Ok(answer) = &answer {
        observed.insert("text".into(), answer.text().into());
    }
    Ok(keep(observed, answer))
}

async fn stream(
    client: &Client,
    request: &[u8],
    options: &Options,
    observed: &mut Observed,
) -> Result<Left, Crash> {
    observed.insert("events".into(), json!([]));
    observed.insert("text".into(), "".into());
    let mut stream = match client.stream(GenerateRequest::decode(request)?).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Left::Ended(Err(error))),
    };
    let mut text = String::new();
    loop {
        let event = match stream.next_event().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Left::Ended(Ok(()))),
            Err(error) => return Ok(Left::Ended(Err(error))),
        };
        if let (0, Some(Event::TextDelta(delta))) = (event.candidate_index, &event.event) {
            text.push_str(delta);
            observed.insert("text".into(), text.clone().into());
        }
        let events = observed
            .get_mut("events")
            .and_then(Value::as_array_mut)
            .ok_or("no events")?;
        events.push(base64(&event));
        if Some(events.len()) == options.leave_after_events {
            return Ok(Left::Cancelled);
        }
    }
}

async fn embed(
    client: &Client,
    request: &[u8],
    observed: &mut Observed,
) -> Result<Result<(), Error>, Crash> {
    let answer = client.embed(EmbedRequest::decode(request)?).await;
    if let Ok(answer) = &answer {
        let vectors = answer.vectors().map(|vector| observe::float32s(&vector));
        observed.insert("vectors".into(), vectors.collect());
    }
    Ok(keep(observed, answer))
}

async fn batch(
    client: &Client,
    request: &[u8],
    observed: &mut Observed,
) -> Result<Result<(), Error>, Crash> {
    let results = client.batch(BatchGenerateRequest::decode(request)?).await;
    Ok(results.map(|results| {
        let shown = results.iter().map(|result| match result {
            Ok(response) => json!({"response": base64(response)}),
            Err(error) => json!({"error": observe::error(error)}),
        });
        observed.insert("results".into(), shown.collect());
    }))
}

fn own_client(address: &str, options: &Options) -> Result<Client, Crash> {
    let mut builder = Client::builder().address(address);
    if let Some(key) = &options.api_key {
        builder = builder.api_key(key);
    }
    if options.token_source {
        let uses = AtomicU32::new(1);
        builder = builder.token_source(move || {
            let use_number = uses.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, Crashed>(format!("token-{use_number}")) }
        });
    }
    if let Some(files) = &options.tls {
        let identity = match (&files.cert_file, &files.key_file) {
            (Some(chain), Some(key)) => Some((
                std::fs::read_to_string(chain)?,
                std::fs::read_to_string(key)?,
            )),
            _ => None,
        };
        builder = builder.tls(Tls {
            root_certificates: Some(std::fs::read_to_string(&files.ca_file)?),
            identity,
            server_name: files.server_name.clone(),
        });
    }
    Ok(builder.build()?)
}

/// A token source that never fails has an error type nevertheless.
type Crashed = std::convert::Infallible;

fn for_calls(mut client: Client, options: &Options) -> Result<Client, Error> {
    if let Some(deadline_ms) = options.deadline_ms {
        client = client.with_timeout(Duration::from_millis(deadline_ms));
    }
    if let Some(traceparent) = &options.traceparent {
        let (traceparent, tracestate) = (traceparent.clone(), String::new());
        client = client.with_trace_context(&TraceContext {
            traceparent,
            tracestate,
        })?;
    }
    for (key, value) in &options.metadata {
        client = client.with_metadata(key, value)?;
    }
    Ok(client)
}
