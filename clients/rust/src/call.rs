//! How a call is made: metadata, deadline, attempts.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::balancer::Balancer;
use crate::endpoint::Identity;
use crate::error::Error;
use crate::retry::{Attempts, Throttle};
use crate::v1::gateway_service_client::GatewayServiceClient;
use crate::v1::model_service_client::ModelServiceClient;

const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// What all clones of a client share.
pub(crate) struct Connection {
    pub(crate) balancer: Balancer,
    pub(crate) identity: Identity,
    pub(crate) throttle: Throttle,
}

/// What is said of one call.
#[derive(Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) metadata: MetadataMap,
}

impl Connection {
    /// Performs a call, in several attempts if it must be; the second value is its deadline.
    pub(crate) async fn call<Q, A, Fut>(
        &self,
        options: &CallOptions,
        usual_timeout: Duration,
        request: Q,
        perform: impl Fn(Channel, Request<Q>) -> Fut,
    ) -> Result<(A, Instant), Error>
    where
        Q: Clone,
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Instant::now() + options.timeout.unwrap_or(usual_timeout);
        let answer = timeout_at(deadline, async {
            let mut metadata = options.metadata.clone();
            self.identity.add_to(&mut metadata).await?;
            let attempt = |channel| {
                let mut request = Request::new(request.clone());
                *request.metadata_mut() = metadata.clone();
                request.set_timeout(deadline.saturating_duration_since(Instant::now()));
                perform(channel, request)
            };
            self.attempts(attempt).await
        });
        match answer.await {
            Ok(Ok(answer)) => Ok((answer, deadline)),
            Ok(Err(error)) if error.code() != Code::Unavailable => Err(error),
            // tonic watches the deadline as well, and may be the first to see its end.
            Ok(Err(_)) | Err(_) if Instant::now() >= deadline => Err(Error::deadline()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::deadline()),
        }
    }

    async fn attempts<A, Fut>(&self, attempt: impl Fn(Channel) -> Fut) -> Result<A, Error>
    where
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        let mut attempts = Attempts::new();
        loop {
            let status = match self.balancer.pick().await {
                Err(status) => status,
                Ok(picked) => match attempt(picked.channel.clone()).await {
                    Ok(answer) => {
                        self.throttle.succeeded();
                        return Ok(answer.into_inner());
                    }
                    Err(status) => {
                        if std::error::Error::source(&status).is_some() {
                            self.balancer.failed(&picked).await;
                        }
                        status
                    }
                },
            };
            let error = Error::from_status(status.clone());
            match attempts.next(error.code(), &status, &self.throttle) {
                Some(wait) => sleep(wait).await,
                None => return Err(error),
            }
        }
    }
}

pub(crate) fn gateway(channel: Channel) -> GatewayServiceClient<Channel> {
    GatewayServiceClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

pub(crate) fn models(channel: Channel) -> ModelServiceClient<Channel> {
    ModelServiceClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
