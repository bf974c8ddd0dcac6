//! Processes of a cluster that know each other by certificate, and everybody else.

use std::{fs, io, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, Person, Socket, until_linked, until_logged};
use protocol::RoomId;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::json;
use tempfile::TempDir;
use testkit::{Chatx, ChatxSetup, Ground, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A CA, and a certificate that it gave for this machine.
struct Papers {
    folder: TempDir,
}

impl Papers {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let own = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &ca)?;
        let papers = Self { folder };
        fs::write(papers.path("ca"), ca.pem())?;
        fs::write(papers.path("certificate"), own.pem())?;
        fs::write(papers.path("key"), key.serialize_pem())?;
        Ok(papers)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("pem")
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn given_to(&self, setup: ChatxSetup) -> ChatxSetup {
        setup
            .set("CHATX_INTERNAL_TLS_CERT_FILE", self.text("certificate"))
            .set("CHATX_INTERNAL_TLS_KEY_FILE", self.text("key"))
            .set("CHATX_INTERNAL_TLS_CA_FILE", self.text("ca"))
    }

    /// What somebody shows who trusts `ca`, with the certificate of these papers or without any.
    fn client(&self, ca: &Self, shows_certificate: bool) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca.path("ca"))?)?;
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        if !shows_certificate {
            return Ok(config.with_no_client_auth());
        }
        let chain = vec![CertificateDer::from_pem_file(self.path("certificate"))?];
        let key = PrivateKeyDer::from_pem_file(self.path("key"))?;
        Ok(config.with_client_auth_cert(chain, key)?)
    }
}

/// The first line that the internal listener answers.
async fn ask(port: u16, client: ClientConfig) -> io::Result<String> {
    let request = b"GET /internal/open HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("127.0.0.1").expect("an address is a name");
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_certificate_of_our_ca_is_not_let_in() -> Result<()> {
    let (ours, foreign) = (Papers::new()?, Papers::new()?);
    let ground = Ground::new().await?;
    let port = free_port();
    let coordinator = ground
        .coordinator("a")
        .set("CHATX_INTERNAL_LISTEN", format!("127.0.0.1:{port}"));
    let coordinator = ours.given_to(coordinator).start().await?;

    let nobody = ask(port, ours.client(&ours, false)?).await;
    ensure!(nobody.is_err(), "without a certificate: {nobody:?}");
    let stranger = ask(port, foreign.client(&ours, true)?).await;
    ensure!(stranger.is_err(), "with one of another CA: {stranger:?}");
    let openly = Http::new(format!("127.0.0.1:{port}"))
        .post("/internal/hint", json!({}))
        .await;
    ensure!(openly.is_err(), "without TLS: {openly:?}");
    // And the other way: a peer does not take a listener for one of ours that is not.
    let misled = ask(port, ours.client(&foreign, true)?).await;
    ensure!(misled.is_err(), "to a listener of another CA: {misled:?}");
    // A certificate opens the door; what is asked there needs the secret too.
    let known = ask(port, ours.client(&ours, true)?).await?;
    ensure!(known.contains("401"), "with a certificate: {known}");
    until_logged(&coordinator, "to the internal listener is refused", 3).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_certificates_work_together() -> Result<()> {
    let papers = Papers::new()?;
    let ground = Ground::new().await?;
    let mut coordinators = Vec::new();
    for name in ["a", "b"] {
        let internal = format!("127.0.0.1:{}", free_port());
        let setup = ground
            .coordinator(name)
            .set("CHATX_INTERNAL_LISTEN", &internal)
            .set("CHATX_INTERNAL_URL", format!("https://{internal}"));
        coordinators.push(papers.given_to(setup).start().await?);
    }
    let metrics = format!("127.0.0.1:{}", free_port());
    let setup = ground.handlers().set("CHATX_METRICS_LISTEN", &metrics);
    let handlers = papers.given_to(setup).start().await?;
    for coordinator in &coordinators {
        until_linked(coordinator).await?;
    }
    let ada = Person::register(&Http::new(handlers.address()), "ada").await?;
    let room = ada.create_room().await?;
    let mut sockets = Vec::new();
    for coordinator in &coordinators {
        let mut socket = ada.at(&Http::new(coordinator.address())).socket().await?;
        socket.subscribe(room, None).await?;
        sockets.push(socket);
    }
    let [first, second] = &mut *sockets else {
        unreachable!("there are two coordinators");
    };
    // From one node to the other over a link, and from the handlers by a hint.
    for turn in 0..10 {
        let client_id = turn.to_string();
        let ack = first.send(room, &client_id, "over a link").await?;
        let seq = ack.map_err(|error| anyhow::anyhow!("{error:?}"))?.seq.0;
        heard(second, room, seq).await?;
        let path = format!("/v1/rooms/{room}/messages");
        let sent = ada.http.post(&path, json!({"body": "by a hint"})).await?;
        let seq = sent.expect(201)?["seq"].as_u64().context("a place")?;
        heard(second, room, seq).await?;
    }
    let counted = Http::new(metrics).get("/metrics").await?.expect(200)?;
    let counted = counted.as_str().unwrap_or_default();
    let lost = counted
        .lines()
        .find(|line| line.starts_with("chatx_hints_lost_total"));
    ensure!(lost.is_none(), "hints were lost: {lost:?}");
    // Before anybody is sent to a node, that node is asked whether it answers.
    let named = ada.http.post("/v1/socket", json!({"room": room})).await?;
    named.expect(201)?;
    Ok(())
}

async fn heard(socket: &mut Socket, room: RoomId, seq: u64) -> Result<()> {
    loop {
        let event = socket.event().await?;
        if event.room == room && event.seq.0 == seq {
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_named_at_start() -> Result<()> {
    let (ours, foreign) = (Papers::new()?, Papers::new()?);
    let start = async |settings: &[(&str, String)]| {
        let port = free_port();
        let mut setup = Chatx::serve().set("CHATX_INTERNAL_LISTEN", format!("127.0.0.1:{port}"));
        for (name, value) in settings {
            setup = setup.set(&format!("CHATX_INTERNAL_{name}"), value);
        }
        let (status, said) = setup.run_to_its_end().await?;
        ensure!(status.code() == Some(2), "{status}: {said}");
        anyhow::Ok(said)
    };
    let cert = || ("TLS_CERT_FILE", ours.text("certificate"));
    let key = || ("TLS_KEY_FILE", ours.text("key"));
    let ca = || ("TLS_CA_FILE", ours.text("ca"));
    let url = |text: &str| ("URL", text.to_owned());
    let nowhere = ("TLS_CA_FILE", "/nowhere.pem".to_owned());
    let other_key = ("TLS_KEY_FILE", foreign.text("key"));
    let no_key = ("TLS_KEY_FILE", ours.text("certificate"));
    let no_ca = ("TLS_CA_FILE", ours.text("key"));
    for (settings, complaints) in [
        (
            vec![cert()],
            [
                "CHATX_INTERNAL_TLS_KEY_FILE: ",
                "CHATX_INTERNAL_TLS_CA_FILE: ",
            ],
        ),
        (
            vec![ca(), key()],
            [
                "CHATX_INTERNAL_TLS_CERT_FILE: ",
                "needs a certificate, its key and a CA",
            ],
        ),
        (
            vec![cert(), key(), nowhere],
            ["CHATX_INTERNAL_TLS_CA_FILE: ", "/nowhere.pem"],
        ),
        (vec![cert(), other_key, ca()], ["CERT_FILE", "KEY_FILE"]),
        (
            vec![cert(), no_key, ca()],
            ["CHATX_INTERNAL_TLS_KEY_FILE: ", "certificate.pem"],
        ),
        (
            vec![cert(), key(), no_ca],
            ["CHATX_INTERNAL_TLS_CA_FILE: ", "no certificate in it"],
        ),
        (
            vec![cert(), key(), ca(), url("http://x:1")],
            ["CHATX_INTERNAL_URL: ", "https"],
        ),
        (
            vec![url("https://x:1")],
            ["CHATX_INTERNAL_URL: ", "CHATX_INTERNAL_TLS_"],
        ),
    ] {
        let said = start(&settings).await?;
        for complaint in complaints {
            ensure!(
                said.contains(complaint),
                "{settings:?}: {complaint:?} is not in {said}"
            );
        }
    }
    Ok(())
}
