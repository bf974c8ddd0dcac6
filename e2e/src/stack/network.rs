//! The network between the processes: a bridge in this namespace, an address for each service, names in a
//! `hosts` file, and published ports. It is made by `ip`.

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
};

use super::compose::{Compose, Port};

pub(super) struct Network {
    bits: u8,
    gateway: Ipv4Addr,
    addresses: BTreeMap<String, Ipv4Addr>,
    /// The file that every container has as `/etc/hosts`.
    pub(super) hosts: PathBuf,
}

const BRIDGE: &str = "chatx0";

impl Network {
    pub(super) fn new(compose: &Compose) -> Result<Self> {
        let (first, bits) = compose.subnet()?;
        Ok(Self {
            bits,
            gateway: Ipv4Addr::from_bits(first.to_bits() + 1),
            addresses: compose.addresses()?,
            hosts: PathBuf::new(),
        })
    }

    /// Makes the bridge and the names.
    pub(super) async fn build(&mut self, folder: &Path) -> Result<()> {
        self.hosts = folder.join("hosts");
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for (name, address) in &self.addresses {
            hosts.push_str(&format!("{address} {name}\n"));
        }
        fs::write(&self.hosts, hosts)?;
        ip(&["link", "set", "lo", "up"]).await?;
        ip(&["link", "add", BRIDGE, "type", "bridge"]).await?;
        let range = format!("{}/{}", self.gateway, self.bits);
        ip(&["address", "add", &range, "dev", BRIDGE]).await?;
        ip(&["link", "set", BRIDGE, "up"]).await
    }

    pub(super) fn address(&self, service: &str) -> Result<Ipv4Addr> {
        let address = self.addresses.get(service);
        address
            .copied()
            .context("there are more services than addresses")
    }

    /// Puts one end of a cable into the namespace of the process `id`; it is called `eth0` there.
    pub(super) async fn connect(&self, service: &str, id: u32) -> Result<()> {
        let own_end = format!("to{}", self.address(service)?.octets()[3]);
        let id = id.to_string();
        // What a process that died left is taken away with its namespace, but not always at once.
        let _ = ip(&["link", "delete", &own_end]).await;
        ip(&[
            "link", "add", &own_end, "type", "veth", "peer", "name", "eth0", "netns", &id,
        ])
        .await?;
        ip(&["link", "set", &own_end, "master", BRIDGE, "up"]).await
    }

    /// What the process does at its end of the cable.
    pub(super) fn arrival(&self, service: &str) -> Result<String> {
        let (address, bits, gateway) = (self.address(service)?, self.bits, self.gateway);
        Ok(format!(
            "ip link set lo up\nip address add {address}/{bits} dev eth0\nip link set eth0 up\n\
             ip route add default via {gateway}\n"
        ))
    }

    /// Takes what comes to a port of this namespace to one of the service, as an engine does.
    pub(super) async fn publish(&self, service: &str, port: &Port) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.host)).await?;
        let target = (self.address(service)?, port.container);
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut inside = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        Ok(())
    }
}

async fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().await;
    let output = output.context("`ip` of iproute2 is needed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ip {}: {said}",
        arguments.join(" ")
    );
    Ok(())
}
