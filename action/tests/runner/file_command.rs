//! The files that a step writes its outputs, its environment and its state to: `name=value`, or `name<<delimiter`, lines,
//! and the delimiter on a line of its own.

/// The pairs in such a file; or why the runner fails the step.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        if line.is_empty() {
            continue;
        }
        match (line.find('='), line.find("<<")) {
            (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                pairs.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
            }
            (_, Some(heredoc)) => {
                let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!(
                        "Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                    ));
                }
                let mut value = Vec::new();
                loop {
                    if rest.is_empty() {
                        return Err(format!("Invalid value. Matching delimiter not found '{delimiter}'"));
                    }
                    let Some((line, behind)) = rest.split_once('\n') else {
                        if rest == delimiter {
                            rest = "";
                            break;
                        }
                        return Err("Invalid value. EOF marker missing new line.".to_owned());
                    };
                    rest = behind;
                    if line == delimiter {
                        break;
                    }
                    value.push(line);
                }
                pairs.push((name.to_owned(), value.join("\n")));
            }
            _ => return Err(format!("Invalid format '{line}'")),
        }
    }
    Ok(pairs)
}
