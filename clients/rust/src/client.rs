//! The client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;
use tonic::Status;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};

use crate::balancer::Balancer;
use crate::call::{CallOptions, Connection, gateway, models};
use crate::endpoint::{Builder, Identity, TraceContext, add_trace, invalid};
use crate::error::Error;
use crate::responses::batch_results;
use crate::retry::Throttle;
use crate::stream::GenerateStream;
use crate::v1::{
    BatchGenerateRequest, CountTokensRequest, CountTokensResponse, EmbedRequest, EmbedResponse,
    GenerateRequest, GenerateResponse, GetModelRequest, HealthRequest, HealthResponse,
    ListModelsRequest, Model,
};

const GENERATE: Duration = Duration::from_secs(600);
const EMBED: Duration = Duration::from_secs(120);
const BATCH: Duration = Duration::from_secs(3600);
const COUNT: Duration = Duration::from_secs(30);
const ASK: Duration = Duration::from_secs(15);

/// A connection to a gateway, for any number of calls at the same time; its clones share it.
///
/// It connects at its first call, which must run in a Tokio runtime. Dropping a call's future
/// cancels the call, up to the provider.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
    options: CallOptions,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client for `host:port`, `dns:///host:port` or `unix:/path`, in plain text and without
    /// credentials; [`Client::builder`] makes others.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what is no such address.
    pub fn new(address: impl Into<String>) -> Result<Self, Error> {
        Self::builder().address(address).build()
    }

    /// Makes a client with TLS, credentials and more.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn made(balancer: Balancer, identity: Identity, timeout: Option<Duration>) -> Self {
        let connection = Connection {
            balancer,
            identity,
            throttle: Throttle::new(),
        };
        let options = CallOptions {
            timeout,
            ..CallOptions::default()
        };
        Self {
            connection: Arc::new(connection),
            options,
        }
    }

    /// The same client, whose calls may take this time, with all that the gateway does for them.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let mut client = self.clone();
        client.options.timeout = Some(timeout);
        client
    }

    /// The same client, whose calls continue this W3C trace.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what cannot stand in a header.
    pub fn with_trace_context(&self, trace: &TraceContext) -> Result<Self, Error> {
        let mut client = self.clone();
        add_trace(&mut client.options.metadata, trace)?;
        Ok(client)
    }

    /// The same client, whose calls carry one more entry of gRPC metadata.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a key or value that cannot be sent.
    pub fn with_metadata(&self, key: &str, value: &str) -> Result<Self, Error> {
        let key: AsciiMetadataKey = key.parse().map_err(|_| invalid("no metadata key"))?;
        let value: AsciiMetadataValue = value.parse().map_err(|_| invalid("no metadata value"))?;
        let mut client = self.clone();
        client.options.metadata.append(key, value);
        Ok(client)
    }

    /// Answers a text, a conversation or a request, when the model has finished.
    ///
    /// # Errors
    ///
    /// How the call failed.
    pub async fn generate(
        &self,
        request: impl Into<GenerateRequest>,
    ) -> Result<GenerateResponse, Error> {
        let call = self.connection.call(
            &self.options,
            GENERATE,
            request.into(),
            |channel, request| async move { gateway(channel).generate(request).await },
        );
        Ok(call.await?.0)
    }

    /// Answers like `generate`, event by event.
    ///
    /// # Errors
    ///
    /// How the call failed before its first event.
    pub async fn stream(
        &self,
        request: impl Into<GenerateRequest>,
    ) -> Result<GenerateStream, Error> {
        let call = self.connection.call(
            &self.options,
            GENERATE,
            request.into(),
            |channel, request| async move { gateway(channel).stream_generate(request).await },
        );
        let (events, deadline) = call.await?;
        Ok(GenerateStream::new(events, deadline))
    }

    /// Turns texts, or sequences of token ids, into vectors, one for each, in their order.
    ///
    /// # Errors
    ///
    /// How the call failed.
    pub async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, Error> {
        let call = self.connection.call(
            &self.options,
            EMBED,
            request,
            |channel, request| async move { gateway(channel).embed(request).await },
        );
        Ok(call.await?.0)
    }

    /// Answers several requests, in their order; each has its own result.
    ///
    /// # Errors
    ///
    /// How the batch failed before its first result.
    pub async fn batch(
        &self,
        requests: impl Into<BatchGenerateRequest>,
    ) -> Result<Vec<Result<GenerateResponse, Error>>, Error> {
        let requests = requests.into();
        let count = requests.requests.len();
        let call = self.connection.call(
            &self.options,
            BATCH,
            requests,
            |channel, request| async move { gateway(channel).batch_generate(request).await },
        );
        let (mut results, deadline) = call.await?;
        let mut arrived = Vec::with_capacity(count);
        let failure = loop {
            match timeout_at(deadline, results.message()).await {
                Ok(Ok(Some(result))) => arrived.push(result),
                Ok(Ok(None)) => break None,
                Ok(Err(status)) => break Some(status),
                Err(_) => break Some(Status::deadline_exceeded("the batch took too long")),
            }
        };
        batch_results(count, arrived, failure.as_ref())
    }

    /// Counts the input tokens that `generate` would have with the same request.
    ///
    /// # Errors
    ///
    /// How the call failed.
    pub async fn count_tokens(
        &self,
        request: impl Into<GenerateRequest>,
    ) -> Result<CountTokensResponse, Error> {
        let request = CountTokensRequest {
            request: Some(request.into()),
        };
        let call = self.connection.call(
            &self.options,
            COUNT,
            request,
            |channel, request| async move { gateway(channel).count_tokens(request).await },
        );
        Ok(call.await?.0)
    }

    /// Every model that you may name, by name; the time limit holds for each page of them.
    ///
    /// # Errors
    ///
    /// How a call failed.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let mut found = Vec::new();
        let mut request = ListModelsRequest::default();
        loop {
            let call =
                self.connection
                    .call(&self.options, ASK, request, |channel, request| async move {
                        models(channel).list_models(request).await
                    });
            let (page, _) = call.await?;
            found.extend(page.models);
            if page.next_page_token.is_empty() {
                return Ok(found);
            }
            request = ListModelsRequest {
                page_token: page.next_page_token,
                ..Default::default()
            };
        }
    }

    /// One model.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of that name, or how the call failed otherwise.
    pub async fn model(&self, name: impl Into<String>) -> Result<Model, Error> {
        let request = GetModelRequest { name: name.into() };
        let call =
            self.connection
                .call(&self.options, ASK, request, |channel, request| async move {
                    models(channel).get_model(request).await
                });
        Ok(call.await?.0.model.unwrap_or_default())
    }

    /// How the gateway and its providers, or only `provider`, are; an empty name means all.
    ///
    /// # Errors
    ///
    /// How the call failed.
    pub async fn health(&self, provider: &str) -> Result<HealthResponse, Error> {
        let request = HealthRequest {
            provider: provider.to_owned(),
        };
        let call =
            self.connection
                .call(&self.options, ASK, request, |channel, request| async move {
                    gateway(channel).health(request).await
                });
        Ok(call.await?.0)
    }
}
