//! A gateway for tests: the contract's service over real gRPC on a Unix socket, scripted.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use interlingua::v1::stream_generate_response::Event;
use interlingua::v1::{
    BatchGenerateRequest, BatchGenerateResponse, CountTokensRequest, CountTokensResponse,
    EmbedRequest, EmbedResponse, GenerateRequest, GenerateResponse, HealthRequest, HealthResponse,
    StreamCompleted, StreamGenerateResponse, StreamStart,
};
use interlingua::{Builder, Client};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_stream::Stream;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

#[allow(clippy::pedantic, unreachable_pub, missing_docs)]
mod stubs {
    include!("gen/interlingua.v1.rs");
}

use stubs::gateway_service_server::{GatewayService, GatewayServiceServer};

pub(crate) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Method<Q, A> = Box<dyn Fn(Request<Q>) -> Result<A, Status> + Send + Sync>;

/// What the gateway answers.
pub(crate) struct Script {
    pub(crate) generate: Method<GenerateRequest, GenerateResponse>,
    pub(crate) stream: Method<GenerateRequest, Events<StreamGenerateResponse>>,
    pub(crate) batch: Method<BatchGenerateRequest, Events<BatchGenerateResponse>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            generate: Box::new(|_| Err(Status::unimplemented("generate"))),
            stream: Box::new(|_| Err(Status::unimplemented("stream"))),
            batch: Box::new(|_| Err(Status::unimplemented("batch"))),
        }
    }
}

#[tonic::async_trait]
impl GatewayService for Script {
    type StreamGenerateStream = Events<StreamGenerateResponse>;
    type BatchGenerateStream = Events<BatchGenerateResponse>;

    async fn generate(
        &self,
        request: Request<GenerateRequest>,
    ) -> Result<Response<GenerateResponse>, Status> {
        (self.generate)(request).map(Response::new)
    }

    async fn stream_generate(
        &self,
        request: Request<GenerateRequest>,
    ) -> Result<Response<Self::StreamGenerateStream>, Status> {
        (self.stream)(request).map(Response::new)
    }

    async fn batch_generate(
        &self,
        request: Request<BatchGenerateRequest>,
    ) -> Result<Response<Self::BatchGenerateStream>, Status> {
        (self.batch)(request).map(Response::new)
    }

    async fn embed(&self, _: Request<EmbedRequest>) -> Result<Response<EmbedResponse>, Status> {
        Err(Status::unimplemented("embed"))
    }

    async fn count_tokens(
        &self,
        _: Request<CountTokensRequest>,
    ) -> Result<Response<CountTokensResponse>, Status> {
        Err(Status::unimplemented("count_tokens"))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        Err(Status::unimplemented("health"))
    }
}

/// A gateway that serves until it is dropped.
pub(crate) struct Gateway {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Gateway {
    pub(crate) fn start(script: Script) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("interlingua-{}-{number}.sock", std::process::id());
        Self::start_at(std::env::temp_dir().join(name), script)
    }

    fn start_at(path: PathBuf, script: Script) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        let service = GatewayServiceServer::new(script)
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20);
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(UnixListenerStream::new(listener));
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self { path, task }
    }

    /// Another gateway at the address of this one, which ends with all of its connections.
    pub(crate) async fn replaced(mut self, script: Script) -> Self {
        self.task.abort();
        let _ = (&mut self.task).await;
        let path = self.path.clone();
        drop(self);
        Self::start_at(path, script)
    }

    pub(crate) fn builder(&self) -> Builder {
        Client::builder().address(format!("unix:{}", self.path.display()))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(Path::new(&self.path));
    }
}

/// Events of candidate 0, numbered, behind a start.
pub(crate) fn numbered(events: Vec<Event>) -> Vec<Result<StreamGenerateResponse, Status>> {
    let start = Event::Start(StreamStart {
        operation_id: "01J".into(),
        answered_by: None,
    });
    (0..)
        .zip(std::iter::once(start).chain(events))
        .map(|(sequence, event)| {
            Ok(StreamGenerateResponse {
                sequence,
                candidate_index: 0,
                event: Some(event),
            })
        })
        .collect()
}

pub(crate) fn text(text: &str) -> Event {
    Event::TextDelta(text.into())
}

pub(crate) fn completed() -> Event {
    Event::Completed(StreamCompleted::default())
}

/// A gateway that generates by this method.
pub(crate) fn answering(
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
