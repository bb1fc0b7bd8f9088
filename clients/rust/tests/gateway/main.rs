//! The client against a gateway over real gRPC.

mod calls;
mod errors;
mod streams;
mod support;
