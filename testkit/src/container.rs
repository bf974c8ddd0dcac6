//! A server in a container, run in the foreground so that it is a child like any other.

use std::process::Command;

use crate::home::run_quietly;

#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// `docker` or `podman`.
    pub(crate) tool: &'static str,
    pub(crate) image: &'static str,
}

impl Engine {
    /// `run` for a container whose data lives in a volume of the same name.
    pub(crate) fn run(&self, name: &str, port: u16, inner_port: u16, directory: &str) -> Command {
        let mut command = Command::new(self.tool);
        command.args([
            "run",
            "--rm",
            "--name",
            name,
            "--volume",
            &format!("{name}:{directory}"),
        ]);
        command.args(["--publish", &format!("127.0.0.1:{port}:{inner_port}")]);
        command
    }

    /// Kills what runs in the container, which killing its foreground client would not, and gives its
    /// name free. The volume stays.
    pub(crate) fn kill(&self, name: &str) -> anyhow::Result<()> {
        run_quietly(Command::new(self.tool).args(["rm", "--force", name]))
    }

    /// Removes the container and its data.
    pub(crate) fn farewell(&self, name: &str) -> Vec<String> {
        let script = format!(
            "{tool} rm --force {name}; {tool} volume rm --force {name}",
            tool = self.tool
        );
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }
}
