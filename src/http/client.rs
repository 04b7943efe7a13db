//! Who sent a request, as far as that can be known: its address through the proxies we trust, and its id.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue};

use super::state::Api;
use crate::app::security_events::{SecurityEvent, SecurityEventKind};
use crate::config::TrustedProxies;

/// The id of a request, the caller's own or one of ours.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or(Self(HeaderValue::from_static("none")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: IpAddr,
    pub request_id: RequestId,
    /// Whether the browser reached us, or the proxy in front of us, by https.
    pub is_https: bool,
}

impl Client {
    /// The event of this client, to be completed and noted.
    pub fn security_event(&self) -> SecurityEvent<'_> {
        SecurityEvent { address: Some(self.address), request_id: self.request_id.as_str(), ..SecurityEvent::default() }
    }

    /// Notes an event that needs no further words.
    pub fn note(&self, kind: SecurityEventKind) {
        self.security_event().note(kind);
    }
}

impl FromRequestParts<Api> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let forwarded_proto = parts.headers.get("x-forwarded-proto");
        Ok(Self {
            address: client_address(&parts.headers, &parts.extensions, &api.trusted_proxies),
            request_id: RequestId::of(&parts.extensions),
            // Not asked of trusted proxies only: who forges it makes his own cookie useless over http, and no other's.
            is_https: forwarded_proto.is_some_and(|proto| proto == "https"),
        })
    }
}

/// The address of who sent a request: of the connection, or what a trusted proxy says.
pub fn client_address(headers: &HeaderMap, extensions: &Extensions, trusted: &TrustedProxies) -> IpAddr {
    forwarded_for(peer_address(extensions), headers, trusted)
}

/// Whether the connection is one of a proxy that we trust.
pub fn is_from_trusted_proxy(extensions: &Extensions, trusted: &TrustedProxies) -> bool {
    trusted.contains(peer_address(extensions))
}

fn peer_address(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    peer.unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// Each proxy appends whom it was called by, so the list is read from its end while those who wrote it are trusted: what
/// stands before the first address that is not a trusted proxy may be forged. An entry that is no address ends it too.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut address = peer;
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for entry in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')) {
        if !trusted.contains(address) {
            break;
        }
        match entry.trim().parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::forwarded_for;
    use crate::config::TrustedProxies;

    fn seen(peer: &str, trusted: &str, lines: &[&str]) -> String {
        let headers: HeaderMap = lines
            .iter()
            .map(|line| (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(line).unwrap()))
            .collect();
        let trusted: TrustedProxies = trusted.parse().unwrap();
        forwarded_for(peer.parse::<IpAddr>().unwrap().to_canonical(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_who_called_them() {
        let (proxies, visitor, forged) = ("10.0.0.0/8, fd00::/8", "203.0.113.9", "198.51.100.1");
        assert_eq!(seen(visitor, "", &[forged]), visitor, "nobody is trusted by default");
        assert_eq!(seen(visitor, proxies, &[forged]), visitor, "a stranger's header");
        assert_eq!(seen("10.0.0.1", proxies, &[visitor]), visitor);
        assert_eq!(seen("10.0.0.1", proxies, &[&format!("{forged}, {visitor}")]), visitor, "forged in front");
        assert_eq!(
            seen("10.0.0.1", proxies, &[forged, &format!("{visitor}, 10.0.0.2")]),
            visitor,
            "two proxies, two lines"
        );
        assert_eq!(seen("::ffff:10.0.0.1", proxies, &[visitor]), visitor, "an address of version 4 in version 6");
        assert_eq!(seen("fd00::1", proxies, &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", proxies, &["no address"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", proxies, &[&format!("{forged}, no address")]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", proxies, &[]), "10.0.0.1");
    }
}
