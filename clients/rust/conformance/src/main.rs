//! The conformance runner: `interlingua-conformance ADDRESS PLAN`.

mod build;
mod choreography;
mod observe;
mod operations;
mod watch;

use std::error::Error;
use std::io::{BufRead, stdin};

use interlingua::Client;
use serde_json::json;

use operations::{Scenario, perform};

#[derive(serde::Deserialize)]
struct Plan {
    scenarios: Vec<Scenario>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(plan)) = (arguments.next(), arguments.next()) else {
        return Err("usage: interlingua-conformance ADDRESS PLAN".into());
    };
    let plan: Plan = serde_json::from_str(&std::fs::read_to_string(plan)?)?;
    let client = Client::new(&address)?;
    for scenario in &plan.scenarios {
        let observed = perform(&client, &address, scenario)
            .await
            .unwrap_or_else(|crash| json!({"crash": crash.to_string()}));
        println!(
            "{}",
            json!({"scenario": scenario.name, "observed": observed})
        );
    }
    Ok(())
}

/// Tells the harness that this point is reached, and waits for its line.
fn pause(name: &str) -> Result<(), Box<dyn Error>> {
    println!("{}", json!({"pause": name}));
    stdin().lock().read_line(&mut String::new())?;
    Ok(())
}
