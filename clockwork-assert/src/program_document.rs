//! What a program that is a check of its own reads: the resource, its spec and its observation, as one JSON document.

use clockwork_core::Context;
use serde_json::{Value, json};

/// The document, in one line.
pub(crate) async fn document(cx: &Context) -> String {
    let Some(resource) = cx.resource() else {
        return of(&Value::Null, &Value::Null, None);
    };
    let common = resource.common();
    let told = json!({
        "name": common.name(),
        "kind": resource.kind(),
        "description": common.description(),
        "depends_on": common.depends_on(),
        "spec": resource.spec(),
    });
    match cx.observe_resource(common.name().as_str()).await {
        Ok(seen) => {
            let seen = (*seen).as_ref().map_or(Value::Null, |seen| seen.state());
            of(&told, &seen, None)
        }
        Err(error) => of(&told, &Value::Null, Some(error.to_string())),
    }
}

fn of(resource: &Value, observation: &Value, error: Option<String>) -> String {
    let document = json!({
        "schema": "clockwork.program/v1",
        "resource": resource,
        "observation": observation,
        "observation_error": error,
    });
    format!("{document}\n")
}
