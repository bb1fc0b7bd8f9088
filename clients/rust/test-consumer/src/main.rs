use interlingua::v1::GenerateRequest;
use interlingua::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::builder().build()?;
    let request = GenerateRequest::new("Say hello.").with_max_output_tokens(20);
    let mut stream = client.stream(request).await?;
    while let Some(text) = stream.next_text().await? {
        print!("{text}");
    }
    println!("\n{:?}", stream.response().map(|answer| answer.finish_reason()));
    Ok(())
}
