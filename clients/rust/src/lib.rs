#![doc = include_str!("../README.md")]

mod assembly;
mod balancer;
mod call;
mod client;
mod endpoint;
mod error;
mod messages;
mod requests;
mod responses;
mod retry;
mod stream;
mod transport;

pub use client::Client;
pub use endpoint::{Builder, Tls, TraceContext};
pub use error::{Error, Resource, Violation};
pub use messages::Content;
pub use stream::GenerateStream;
pub use tonic::Code;

/// The messages and services of the contract `interlingua.v1`, generated from its protos.
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    rustdoc::all
)]
pub mod v1 {
    include!("gen/interlingua.v1.rs");
}

/// Status and error details of `google.rpc`, generated from its protos.
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    rustdoc::all
)]
pub mod rpc {
    include!("gen/google.rpc.rs");
}
