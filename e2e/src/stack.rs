//! `infra/compose.yaml` tried without a container engine: each process is started as its container would
//! start it, in namespaces of its own. What it should then do is said in [`converse`].

mod yaml;
mod interpolate;
mod compose;
mod dockerfile;
mod images;
mod network;
mod container;
mod converse;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use self::{
    compose::{Compose, Condition, Restart},
    container::{Container, Ending, Plan},
    images::Image,
    network::Network,
};

pub use converse::converse;
pub use dockerfile::check_context;
pub use images::fetch;

/// The processes of a compose file.
pub struct Stack {
    compose: Compose,
    /// Where the compose file is.
    files: PathBuf,
    images: BTreeMap<String, Image>,
    network: Network,
    containers: BTreeMap<String, Container>,
    /// Directories of the containers, and their logs.
    ground: TempDir,
}

/// Where the compose file of this repository is, and its variables.
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// What `${…}` in it stands for.
    pub variables: BTreeMap<String, String>,
}

impl Stack {
    /// Reads the file and what it names, and starts nothing.
    ///
    /// # Errors
    /// For everything in the files that is not understood.
    pub fn read(source: &Source) -> Result<Self> {
        let text = fs::read_to_string(&source.file)
            .with_context(|| format!("cannot read {}", source.file.display()))?;
        let compose = Compose::parse(&text, &source.variables)
            .with_context(|| source.file.display().to_string())?;
        let folder = source.file.parent().context("the file is in a folder")?;
        let mut images = BTreeMap::new();
        for (name, service) in &compose.services {
            let image = Image::of(service, folder).with_context(|| format!("service {name}"))?;
            images.insert(name.clone(), image);
        }
        let network = Network::new(&compose)?;
        Ok(Self {
            files: folder.to_owned(),
            compose,
            images,
            network,
            containers: BTreeMap::new(),
            ground: TempDir::new()?,
        })
    }

    /// Starts every service once those that it depends on are as it wants them, and waits until each is
    /// well.
    ///
    /// # Errors
    /// When one does not start, or does not become healthy.
    pub async fn up(&mut self, say: impl Fn(&str)) -> Result<()> {
        self.network.build(self.ground.path()).await?;
        for name in self.compose.order()? {
            for (needed, dependency) in self.compose.services[&name].depends_on.clone() {
                self.until(&needed, dependency.condition).await?;
            }
            self.start(&name, &say).await?;
        }
        let lasting: Vec<_> = self.lasting().map(str::to_owned).collect();
        for name in lasting {
            self.until(&name, Condition::Healthy).await?;
            say(&format!("{name} is well"));
        }
        for (name, service) in &self.compose.services {
            for port in &service.ports {
                self.network.publish(name, port).await?;
                say(&format!("{name} is published at {}", port.host));
            }
        }
        Ok(())
    }

    /// Services that go on, the first one first.
    fn lasting(&self) -> impl Iterator<Item = &str> {
        let of_others: BTreeSet<&str> = self
            .compose
            .services
            .values()
            .flat_map(|service| &service.depends_on)
            .filter(|(_, dependency)| dependency.condition == Condition::Completed)
            .map(|(name, _)| name.as_str())
            .collect();
        let names = self.compose.services.keys().map(String::as_str);
        names.filter(move |name| !of_others.contains(name))
    }

    async fn start(&mut self, name: &str, say: &impl Fn(&str)) -> Result<()> {
        let (service, image) = (&self.compose.services[name], &self.images[name]);
        let folder = self.ground.path().join(name);
        fs::create_dir_all(&folder)?;
        let plan = Plan {
            name,
            service,
            image,
            network: &self.network,
            files: &self.files,
            folder: &folder,
        };
        let started = plan.start().await;
        let container = started.with_context(|| format!("service {name}"))?;
        let address = self.network.address(name)?;
        say(&format!(
            "{name} at {address}, as user {}: {}",
            image.user, container.command
        ));
        self.containers.insert(name.to_owned(), container);
        Ok(())
    }

    async fn until(&mut self, name: &str, condition: Condition) -> Result<()> {
        let container = self.container(name)?;
        let reached = match condition {
            Condition::Started => Ok(()),
            Condition::Healthy => container.until_healthy().await,
            Condition::Completed => container.until_completed().await,
        };
        reached.with_context(|| format!("service {name}"))
    }

    fn container(&mut self, name: &str) -> Result<&mut Container> {
        let found = self.containers.get_mut(name);
        found.with_context(|| format!("service {name} was not started"))
    }

    /// Ends a process as if it had crashed.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self, name: &str) -> Result<()> {
        self.container(name)?.kill().await
    }

    /// Does what the engine does with one that ended by itself, by its `restart`.
    ///
    /// # Errors
    /// When it says that nothing is to be done, or it does not become healthy again.
    pub async fn restart(&mut self, name: &str, say: impl Fn(&str)) -> Result<()> {
        ensure!(
            self.compose.services[name].restart == Some(Restart::UnlessStopped),
            "{name} is not to be restarted"
        );
        self.start(name, &say).await?;
        self.until(name, Condition::Healthy).await
    }

    /// Stops all of them, those first that others do not depend on.
    ///
    /// # Errors
    /// When one had to be killed, or ended with an error.
    pub async fn down(mut self, say: impl Fn(&str)) -> Result<()> {
        let mut wrong = Vec::new();
        for name in self.compose.order()?.into_iter().rev() {
            let Some(container) = self.containers.get_mut(&name) else {
                continue;
            };
            let ending = container.stop().await?;
            say(&format!("{name}: {ending}"));
            if !matches!(ending, Ending::ByItself(status) if status.success()) {
                wrong.push(format!("{name}: {ending}"));
            }
        }
        ensure!(wrong.is_empty(), "not stopped properly: {wrong:?}");
        Ok(())
    }

    /// The last lines of every log, for whoever wants to know what went wrong.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        for name in self.compose.services.keys() {
            let log = fs::read_to_string(log_of(&self.ground.path().join(name)));
            let log = log.unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(12)..].join("\n");
            logs.push_str(&format!("--- {name}\n{last}\n"));
        }
        logs
    }
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// `5s`, as both files write times.
fn seconds(text: &str) -> Result<Duration> {
    match text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
    {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => bail!("`{text}` is not understood as seconds, like `5s`"),
    }
}
