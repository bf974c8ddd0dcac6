//! YAML as JSON values, with aliases and merge keys (`<<`) followed. What a key means is not its concern.

use anyhow::{Result, bail, ensure};
use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

/// The one document of `text`.
pub(super) fn parse(text: &str) -> Result<Value> {
    let documents = YamlLoader::load_from_str(text)?;
    ensure!(documents.len() == 1, "there is not just one document");
    value(&documents[0])
}

fn value(yaml: &Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(boolean) => (*boolean).into(),
        Yaml::Integer(integer) => (*integer).into(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Array(values) => values.iter().map(value).collect::<Result<_>>()?,
        Yaml::Hash(pairs) => {
            let mut merged = Map::new();
            let mut own = Map::new();
            for (key, inner) in pairs {
                match (key.as_str(), value(inner)?) {
                    (Some("<<"), Value::Object(others)) => merged.extend(others),
                    (Some("<<"), other) => bail!("`<<: {other}` is not understood"),
                    (Some(key), inner) => drop(own.insert(key.to_owned(), inner)),
                    (None, _) => bail!("the key {key:?} is no text"),
                }
            }
            merged.extend(own);
            merged.into()
        }
        other => bail!("{other:?} is not understood"),
    })
}
