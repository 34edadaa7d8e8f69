//! The tables of inputs and outputs in the README are those of `action.yml`: `UPDATE=1 cargo test readme` writes them anew.

use std::{fs, path::Path};

use crate::runner::Yaml;

fn table(of: &Yaml, head: &str, row: impl Fn(&str, &Yaml) -> String) -> String {
    of.entries().iter().fold(head.to_owned(), |table, (name, it)| table + &row(name, it))
}

#[test]
fn readme_has_the_inputs_and_outputs_of_the_action() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let action = Yaml::parse(&fs::read_to_string(here.join("action.yml")).unwrap());
    let inputs = table(
        action.get("inputs").unwrap(),
        "| input | meaning | default |\n| --- | --- | --- |\n",
        |name, input| {
            let default = input.text("default");
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            format!("| `{name}` | {}. | {default} |\n", input.text("description"))
        },
    );
    let outputs =
        table(action.get("outputs").unwrap(), "| output | meaning |\n| --- | --- |\n", |name, output| {
            format!("| `{name}` | {}. |\n", output.text("description"))
        });
    let path = here.join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut meant = readme.clone();
    for (what, table) in [("inputs", inputs), ("outputs", outputs)] {
        let (begin, end) = (format!("<!-- {what} of action.yml -->\n"), format!("<!-- end of {what} -->"));
        let from = meant.find(&begin).unwrap() + begin.len();
        let to = from + meant[from..].find(&end).unwrap();
        meant.replace_range(from..to, &table);
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &meant).unwrap();
    }
    let now = fs::read_to_string(&path).unwrap();
    assert!(now == meant, "README.md is out of date: run `UPDATE=1 cargo test -p clockwork-action readme`");
}
