//! What a compose file says, as far as this repository's file goes: every key that is not here is an
//! error, so that nothing of the file goes untried.

use std::{collections::BTreeMap, net::Ipv4Addr};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::{interpolate, yaml};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compose {
    #[serde(rename = "name")]
    _name: String,
    pub(super) services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, ()>,
    networks: Networks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) build: Option<Build>,
    pub(super) restart: Option<Restart>,
    pub(super) stop_grace_period: Option<String>,
    pub(super) command: Option<Words>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Dependency>,
    #[serde(default)]
    pub(super) ports: Vec<Port>,
    #[serde(default)]
    pub(super) volumes: Vec<Mount>,
    pub(super) healthcheck: Option<Healthcheck>,
    #[serde(default)]
    networks: Place,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    pub(super) context: String,
    pub(super) dockerfile: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Restart {
    UnlessStopped,
    OnFailure,
}

/// A command: words, or a text that is split at its spaces.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    Text(String),
    List(Vec<String>),
}

impl Words {
    pub(super) fn to_vec(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::List(words) => words.clone(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dependency {
    pub(super) condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Condition {
    #[serde(rename = "service_started")]
    Started,
    #[serde(rename = "service_healthy")]
    Healthy,
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

/// `8080:8080`, published for this machine.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Port {
    pub(super) host: u16,
    pub(super) container: u16,
}

impl TryFrom<String> for Port {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let ports = text.split_once(':').and_then(|(host, container)| {
            let (host, container) = (host.parse().ok()?, container.parse().ok()?);
            Some(Self { host, container })
        });
        ports.ok_or_else(|| format!("the port `{text}` is not understood"))
    }
}

/// `name:/target` for a volume, `./file:/target:ro` for a file beside the compose file.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Mount {
    Volume { name: String, target: String },
    File { path: String, target: String },
}

impl TryFrom<String> for Mount {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match *text.split(':').collect::<Vec<_>>() {
            [path, target, "ro"] if path.starts_with("./") => Ok(Self::File {
                path: path.to_owned(),
                target: target.to_owned(),
            }),
            [name, target] if !name.contains(['/', '.']) => Ok(Self::Volume {
                name: name.to_owned(),
                target: target.to_owned(),
            }),
            _ => Err(format!("the volume `{text}` is not understood")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Healthcheck {
    #[serde(default)]
    pub(super) disable: bool,
    #[serde(default)]
    pub(super) test: Vec<String>,
    pub(super) interval: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) retries: Option<u32>,
}

/// Where a service is in the networks, of which there is one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    default: OwnAddress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnAddress {
    ipv4_address: Option<Ipv4Addr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Networks {
    default: DefaultNetwork,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultNetwork {
    ipam: Addresses,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    config: Vec<Range>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    subnet: String,
}

impl Compose {
    pub(super) fn parse(text: &str, variables: &BTreeMap<String, String>) -> Result<Self> {
        let mut file = yaml::parse(text)?;
        if let Value::Object(file) = &mut file {
            // Only there to be referred to.
            file.retain(|key, _| !key.starts_with("x-"));
        }
        interpolate::everywhere(&mut file, variables)?;
        let compose: Self = serde_path_to_error::deserialize(file)?;
        for (name, service) in &compose.services {
            for mount in &service.volumes {
                if let Mount::Volume { name: volume, .. } = mount
                    && !compose.volumes.contains_key(volume)
                {
                    bail!("{name} has the volume {volume}, which is not among the volumes");
                }
            }
        }
        Ok(compose)
    }

    /// The services, each after those that it depends on.
    pub(super) fn order(&self) -> Result<Vec<String>> {
        let mut order: Vec<String> = Vec::new();
        while order.len() < self.services.len() {
            let next = self.services.iter().find(|(name, service)| {
                !order.contains(name) && service.depends_on.keys().all(|name| order.contains(name))
            });
            let (name, _) = next.context("services depend on each other in a circle")?;
            order.push(name.clone());
        }
        Ok(order)
    }

    /// An address for each service: the one that it asks for, or else the first that is free, as an engine
    /// does.
    pub(super) fn addresses(&self) -> Result<BTreeMap<String, Ipv4Addr>> {
        let (first, _) = self.subnet()?;
        let own = |service: &Service| service.networks.default.ipv4_address;
        let taken: Vec<_> = self.services.values().filter_map(own).collect();
        // The first one is the gateway's.
        let mut free = (2..254)
            .map(|place| Ipv4Addr::from_bits(first.to_bits() + place))
            .filter(|address| !taken.contains(address));
        let addresses = self.services.iter().map(|(name, service)| {
            let address = own(service).or_else(|| free.next());
            Ok((
                name.clone(),
                address.context("there are too many services")?,
            ))
        });
        addresses.collect()
    }

    /// The network's first address and how many bits of it are the network's.
    pub(super) fn subnet(&self) -> Result<(Ipv4Addr, u8)> {
        let [range] = &*self.networks.default.ipam.config else {
            bail!("there is not just one range of addresses");
        };
        let parts = range.subnet.split_once('/').and_then(|(address, bits)| {
            let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
            Some((address, bits))
        });
        parts.with_context(|| format!("`{}` is no subnet", range.subnet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
name: n
x-one: &one {image: i, restart: on-failure, environment: &env {A: '${A:-1}'}}
services:
  b: {<<: *one, restart: unless-stopped, depends_on: {a: {condition: service_healthy}}}
  a: {<<: *one, environment: {<<: *env, B: '2'}}
volumes: {v: }
networks: {default: {ipam: {config: [{subnet: 172.30.0.0/24}]}}}
";

    fn parse(text: &str) -> Result<Compose, String> {
        Compose::parse(text, &BTreeMap::new()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn merge_keys_give_what_is_not_said_otherwise() {
        let compose = parse(FILE).unwrap();
        let (a, b) = (&compose.services["a"], &compose.services["b"]);
        assert_eq!(b.restart, Some(Restart::UnlessStopped));
        assert_eq!(a.restart, Some(Restart::OnFailure));
        assert_eq!((a.environment.len(), &*a.environment["A"]), (2, "1"));
        assert_eq!(compose.order().unwrap(), ["a", "b"]);
        assert_eq!(
            compose.subnet().unwrap(),
            (Ipv4Addr::new(172, 30, 0, 0), 24)
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (known, strange) in [
            ("restart: on-failure", "privileged: true"),
            ("service_healthy", "service_happy"),
            ("volumes: {v: }", "volumes: {v: {driver: nfs}}"),
            ("image: i", "image: i, ports: ['127.0.0.1:1:1']"),
            ("image: i", "image: i, volumes: ['w:/w']"),
            ("name: n", "name: n\nsecrets: {}"),
        ] {
            let file = FILE.replacen(known, strange, 1);
            assert_ne!(file, FILE);
            assert!(parse(&file).is_err(), "{strange} is passed over");
        }
    }
}
