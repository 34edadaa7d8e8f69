//! `${{ … }}`, of which an `action.yml` that keeps its scripts free of them needs no more than a context's member.

use std::collections::BTreeMap;

/// What expressions may name: `inputs.x`, `steps.x.outputs.y`, `github.x`, by their whole paths.
pub(crate) type Contexts = BTreeMap<String, String>;

/// The text with every expression's value in its place. What is not there is empty.
pub(crate) fn evaluate(text: &str, contexts: &Contexts) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        let (expression, behind) = behind.split_once("}}").expect("an expression that ends");
        done.push_str(before);
        let path = expression.trim();
        let known = ["inputs.", "steps.", "github.", "runner.", "env."];
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(
            known.iter().any(|context| path.starts_with(context)) && path.chars().all(plain),
            "the emulator does not know the expression {path}"
        );
        done.push_str(contexts.get(path).map_or("", String::as_str));
        rest = behind;
    }
    done + rest
}
