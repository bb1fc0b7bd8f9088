//! The operation `watch`: grpc.health.v1, by two messages of one field each.

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

async fn open(channel: &Channel) -> Result<Streaming<HealthCheckResponse>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
    let request = Request::new(HealthCheckRequest::default());
    Ok(grpc
        .server_streaming(request, path, codec)
        .await?
        .into_inner())
}

async fn first_status(channel: &Channel) -> Result<HealthCheckResponse, Status> {
    let first = open(channel).await?.message().await?;
    first.ok_or_else(|| Status::unavailable("the watch ended before its first status"))
}

/// Watches until the stream ends, then once more; pauses as `watching` after the first status.
pub async fn watch(address: &str) -> Result<Value, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let mut statuses = Vec::new();
    let mut watched = open(&channel).await?;
    // It ends with an error or without; both are an end.
    while let Ok(Some(response)) = watched.message().await {
        statuses.push(name(&response));
        if statuses.len() == 1 {
            super::pause("watching")?;
        }
    }
    let mut tries = 0;
    let again = loop {
        tries += 1;
        match first_status(&channel).await {
            Ok(response) => break name(&response),
            Err(status) if tries < 10 && lost(&status) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(status) => return Err(status.into()),
        }
    };
    Ok(json!({"statuses": statuses, "again": again}))
}

/// tonic tells a connection that broke by other codes as well.
fn lost(status: &Status) -> bool {
    status.code() == Code::Unavailable || Error::source(status).is_some()
}

fn name(response: &HealthCheckResponse) -> &'static str {
    match response.status {
        1 => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "UNKNOWN",
    }
}
