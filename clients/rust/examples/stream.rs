//! Streams an answer of the embedded model: cargo run --example stream [ADDRESS]

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use interlingua::Client;
use interlingua::v1::{GenerateRequest, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = match env::args().nth(1) {
        Some(address) => Client::new(address)?,
        None => Client::builder().build()?,
    };
    let prompt = [
        Message::system("Be brief."),
        Message::user("Tell me a story about a fox."),
    ];
    let request = GenerateRequest::new(prompt).with_max_output_tokens(200);
    let mut stream = client.stream(request).await?;
    while let Some(text) = stream.next_text().await? {
        print!("{text}");
        stdout().flush()?;
    }
    if let Some(answer) = stream.response() {
        let tokens = answer.usage.unwrap_or_default().output_tokens;
        println!("\n\n{:?} after {tokens} tokens", answer.finish_reason());
    }
    Ok(())
}
