//! Who may link to a node.

use anyhow::{Result, bail};
use shared::token::Secrets;
use tokio::{
    net::TcpStream,
    time::{Duration, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest},
};

use crate::support::TestNode;

/// Asks for a link: the link, or the status with which it is refused.
async fn link(
    node: &TestNode,
    bearer: &str,
    subprotocol: &str,
    name: Option<&str>,
) -> Result<Result<WebSocketStream<TcpStream>, u16>> {
    let mut request = format!("ws://{}/internal/link", node.address).into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {bearer}").parse()?);
    headers.insert("sec-websocket-protocol", subprotocol.parse()?);
    if let Some(name) = name {
        headers.insert("chatx-node", name.parse()?);
    }
    let stream = TcpStream::connect(node.address).await?;
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(Ok(socket)),
        Err(tungstenite::Error::Http(answer)) => Ok(Err(answer.status().as_u16())),
        Err(error) => bail!(error),
    }
}

#[tokio::test]
async fn only_nodes_of_this_cluster_and_version_are_linked_and_each_once() -> Result<()> {
    const LINK: &str = "chatx.peer.v4";
    let node = TestNode::sqlite().await?;
    let ours = node.app.secrets.peer_bearer();
    let secrets = Secrets::new(&"a secret of another cluster".into());
    let theirs = secrets.peer_bearer();
    let refused = async |bearer, subprotocol, name| -> Result<Option<u16>> {
        Ok(link(&node, bearer, subprotocol, name).await?.err())
    };
    assert_eq!(refused(theirs, LINK, Some("z")).await?, Some(401));
    assert_eq!(refused("", LINK, Some("z")).await?, Some(401));
    assert_eq!(refused(ours, LINK, None).await?, Some(400));
    for of_another_version in ["chatx.peer.v0", "chatx.v1"] {
        let status = refused(ours, of_another_version, Some("z")).await?;
        assert_eq!(status, Some(426), "{of_another_version}");
    }
    let itself = &node.app.settings.node;
    assert_eq!(refused(ours, LINK, Some(itself)).await?, Some(409));
    let Ok(linked) = link(&node, ours, LINK, Some("z")).await? else {
        bail!("a node of the cluster is refused");
    };
    assert_eq!(refused(ours, LINK, Some("z")).await?, Some(409));
    // Once its link is gone it may come again.
    drop(linked);
    let again = async {
        while refused(ours, LINK, Some("z")).await?.is_some() {
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(20), again).await??;
    node.stop().await
}
