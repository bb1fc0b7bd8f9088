//! The operation `build`: a request made with the client's constructors.

use interlingua::v1::{
    GenerateRequest, Media, MediaDetail, Message, Part, ResponseFormat, Tool, ToolCall,
};
use serde_json::json;

pub fn built() -> GenerateRequest {
    let picture = Media::bytes("image/png", [0x89, 0x50, 0x4E, 0x47]);
    let call = ToolCall::new("call_1", "lookup", json!({"animal": "fox"}));
    let parameters = json!({
        "type": "object",
        "properties": {"animal": {"type": "string"}},
        "required": ["animal"],
    });
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    });
    let messages = [
        Message::system("Be brief."),
        Message::user([
            Part::text("What is this? 🦊"),
            Part::image(picture.with_detail(MediaDetail::High)),
        ]),
        Message::user(Part::image(Media::uri("https://example.org/fox.jpg"))),
        Message::assistant(Part::tool_call(call.clone())),
        Message::tool_result(&call, "Vulpes vulpes"),
    ];
    GenerateRequest::new(messages)
        .with_model("any")
        .with_tools([Tool::function("lookup", "Looks up an animal.", parameters)])
        .with_response_format(ResponseFormat::json_schema("animal", schema).with_strict(true))
        .with_temperature(0.5)
        .with_max_output_tokens(100)
}
