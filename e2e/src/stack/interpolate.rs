//! What `${…}` stands for in a compose file.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Every text in `value`, with its variables replaced.
pub(super) fn everywhere(value: &mut Value, variables: &BTreeMap<String, String>) -> Result<()> {
    match value {
        Value::String(text) => *text = interpolate(text, variables)?,
        Value::Array(values) => {
            for value in values {
                everywhere(value, variables)?;
            }
        }
        Value::Object(pairs) => {
            for value in pairs.values_mut() {
                everywhere(value, variables)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn interpolate(text: &str, variables: &BTreeMap<String, String>) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let braced = after
            .strip_prefix('{')
            .and_then(|after| after.split_once('}'));
        let (expression, after) =
            braced.with_context(|| format!("`${after}` is not understood"))?;
        result.push_str(&meaning(expression, variables)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// `NAME`, `NAME:-otherwise` or `NAME:?why it is needed`.
fn meaning(expression: &str, variables: &BTreeMap<String, String>) -> Result<String> {
    let (name, otherwise) = expression.split_once(':').unwrap_or((expression, ""));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(is_name) {
        bail!("`${{{expression}}}` is not understood");
    }
    let given = variables.get(name).filter(|value| !value.is_empty());
    match (given, otherwise.split_at_checked(1)) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(("-", default))) => Ok(default.to_owned()),
        (None, Some(("?", why))) => bail!("{name}: {why}"),
        (None, None) => Ok(String::new()),
        (None, Some(_)) => bail!("`${{{expression}}}` is not understood"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_compose_does() {
        let variables = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let check = |text: &str| interpolate(text, &variables).map_err(|error| error.to_string());
        assert_eq!(check("x${A}y${A:-2}$$").unwrap(), "x1y1$");
        assert_eq!(check("${B:-http://c:1}").unwrap(), "http://c:1");
        assert_eq!(check("${B:?set it}").unwrap_err(), "B: set it");
        for strange in ["$A", "${B:+c}", "${A", "${A B}"] {
            assert!(
                check(strange).unwrap_err().contains("not understood"),
                "{strange}"
            );
        }
    }
}
