//! Which address somebody comes from: the peer's own, or the one that trusted proxies tell.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::settings::Network;

/// The nearest address that is not one of our proxies. What stands left of it in `X-Forwarded-For`
/// was written by strangers.
pub fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    let values = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    for hop in hops.into_iter().rev() {
        if !is_trusted(nearest) {
            break;
        }
        let Some(address) = address_of(hop) else {
            break;
        };
        nearest = address;
    }
    nearest
}

/// Some proxies write the port too.
fn address_of(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    let bracketed = || hop.trim_matches(['[', ']']).parse::<IpAddr>();
    let address = hop
        .parse::<IpAddr>()
        .or_else(|_| with_port())
        .or_else(|_| bracketed());
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = [
            Network {
                address: "10.0.0.0".parse().unwrap(),
                prefix_bits: 8,
            },
            Network {
                address: "fd00::".parse().unwrap(),
                prefix_bits: 8,
            },
        ];
        behind_proxies(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(
            address("10.0.0.1", &["198.51.100.1, 203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(
            address("10.0.0.1", &["1.1.1.1", "203.0.113.9"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn trusted_proxies_are_passed_through() {
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9, 10.2.3.4"]),
            "203.0.113.9"
        );
        assert_eq!(
            address("::ffff:10.0.0.1", &["203.0.113.9:443"]),
            "203.0.113.9"
        );
        assert_eq!(address("fd00::1", &["[2001:db8::9]"]), "2001:db8::9");
        assert_eq!(address("10.0.0.1", &["10.0.0.7"]), "10.0.0.7");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }
}
