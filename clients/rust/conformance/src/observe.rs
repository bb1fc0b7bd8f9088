//! What the client showed, as the harness wants it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interlingua::Error;
use prost::Message;
use serde_json::{Map, Value, json};

pub type Observed = Map<String, Value>;

pub fn base64(message: &impl Message) -> Value {
    STANDARD.encode(message.encode_to_vec()).into()
}

pub fn bytes(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text)
}

pub fn float32s(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes).into()
}

pub fn error(error: &Error) -> Value {
    let violations: Vec<_> = error
        .violations()
        .iter()
        .map(|v| json!({"subject": v.subject, "description": v.description}))
        .collect();
    let resource = error
        .resource()
        .map(|r| json!({"type": r.kind, "name": r.name}));
    json!({
        "code": upper_snake(&format!("{:?}", error.code())),
        "reason": error.reason(),
        "message": error.message(),
        "retry_after_ms": error.retry_delay().map(|delay| delay.as_secs_f64() * 1e3),
        "violations": violations,
        "resource": resource,
        "metadata": error.metadata(),
    })
}

/// `NotFound` as `NOT_FOUND`.
fn upper_snake(name: &str) -> String {
    let mut made = String::new();
    for (place, letter) in name.char_indices() {
        if place > 0 && letter.is_uppercase() {
            made.push('_');
        }
        made.push(letter.to_ascii_uppercase());
    }
    made
}
