//! Which requests go through a proxy, by the variables that curl and Go look at.
//!
//! `HTTPS_PROXY` is for `https://`, `HTTP_PROXY` for `http://`, `ALL_PROXY` for what neither names;
//! the lower-case name counts first. `NO_PROXY` lists names with all below them, addresses,
//! networks and `*`, each with or without a port. This machine and the addresses where clouds hand
//! out credentials are always reached directly.

use std::net::IpAddr;

use url::{Host, Url};

/// The proxies of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    https: Option<Url>,
    http: Option<Url>,
    direct: Vec<Exception>,
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    what: What,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    All,
    /// A name; with a dot in front only what is below it.
    Name(String),
    Network(IpAddr, u8),
}

impl Proxies {
    /// Reads the variables.
    ///
    /// # Errors
    /// What is wrong with one, by its name; a password in it is not repeated.
    pub(crate) fn find(environment: &[(String, String)]) -> Result<Self, String> {
        let value = |wanted: &str| {
            let exact = |name: &str| {
                let mut all = environment.iter().rev();
                all.find(|(one, value)| one == name && !value.trim().is_empty())
            };
            exact(&wanted.to_ascii_lowercase()).or_else(|| exact(wanted))
        };
        let proxy = |wanted: &str| match value(wanted).or_else(|| value("ALL_PROXY")) {
            Some((name, text)) => parse(name, text.trim()).map(Some),
            None => Ok(None),
        };
        let listed = value("NO_PROXY").map_or("", |(_, text)| text.as_str());
        let parts = listed.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        Ok(Self {
            https: proxy("HTTPS_PROXY")?,
            http: proxy("HTTP_PROXY")?,
            direct: parts.map(Exception::parse).collect(),
        })
    }

    /// The proxy that a request to `url` goes through.
    pub(crate) fn of(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "http" { &self.http } else { &self.https };
        let host = url.host()?;
        let is_direct = is_near(&host)
            || self.direct.iter().any(|one| one.fits(&host, url.port_or_known_default()));
        proxy.as_ref().filter(|_| !is_direct)
    }
}

/// Host and port of a proxy, without its password.
pub(crate) fn shown(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    match proxy.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn parse(name: &str, text: &str) -> Result<Url, String> {
    let whole = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url = Url::parse(&whole).ok().filter(|url| url.host().is_some());
    match url {
        Some(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Some(url) => Err(format!(
            "{name} names a proxy of the kind {}, and only http and https are supported",
            url.scheme()
        )),
        None => Err(format!("{name} is not the URL of a proxy (http://host:port)")),
    }
}

/// This machine, and link-local addresses, which no proxy can reach for us.
fn is_near(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback() || address.is_link_local(),
        Host::Ipv6(address) => {
            let mapped = address.to_ipv4_mapped().is_some_and(|it| it.is_loopback());
            address.is_loopback() || address.is_unicast_link_local() || mapped
        }
    }
}

impl Exception {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self { what: What::All, port: None };
        }
        if let Some((address, bits)) = text.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse())
        {
            return Self { what: What::Network(address, bits), port: None };
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                match port.parse().ok() {
                    Some(port) => (name, Some(port)),
                    None => (text, None),
                }
            }
            _ => (text, None),
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let what = match bare.parse::<IpAddr>() {
            Ok(address) => What::Network(address, 128),
            Err(_) => What::Name(name.trim_start_matches('*').to_ascii_lowercase()),
        };
        Self { what, port }
    }

    fn fits(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        if self.port.is_some() && self.port != port {
            return false;
        }
        match (&self.what, host) {
            (What::All, _) => true,
            (What::Name(name), Host::Domain(host)) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let below = host.strip_suffix(name.trim_start_matches('.'));
                match below {
                    Some("") => !name.starts_with('.'),
                    Some(below) => below.ends_with('.'),
                    None => false,
                }
            }
            (What::Network(IpAddr::V4(network), bits), Host::Ipv4(address)) => {
                same(u128::from(u32::from(*network)), u128::from(u32::from(*address)), *bits, 32)
            }
            (What::Network(IpAddr::V6(network), bits), Host::Ipv6(address)) => {
                same(u128::from(*network), u128::from(*address), *bits, 128)
            }
            _ => false,
        }
    }
}

/// Whether two addresses of so many bits begin with the same `bits`.
fn same(a: u128, b: u128, bits: u8, width: u8) -> bool {
    let rest = u32::from(width - bits.min(width));
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, String> {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Proxies::find(&pairs.collect::<Vec<_>>())
    }

    fn way(variables: &[(&str, &str)], url: &str) -> String {
        let proxies = proxies(variables).expect("they are right");
        let url = Url::parse(url).expect("a URL");
        proxies.of(&url).map_or("direct".to_owned(), shown)
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let all = [("HTTPS_PROXY", "http://a:1"), ("http_proxy", "b:2"), ("ALL_PROXY", "c:3")];
        assert_eq!(way(&all, "https://s3.example"), "a:1");
        assert_eq!(way(&all, "http://s3.example"), "b:2");
        assert_eq!(way(&all[2..], "https://s3.example"), "c:3");
        assert_eq!(way(&[("HTTPS_PROXY", "")], "https://s3.example"), "direct");
        let both = [("HTTPS_PROXY", "up:1"), ("https_proxy", "low:2")];
        assert_eq!(way(&both, "https://s3.example"), "low:2");
        assert_eq!(
            way(&[("HTTPS_PROXY", "http://p.example")], "https://s3.example"),
            "p.example:80"
        );
    }

    #[test]
    fn this_machine_and_metadata_are_reached_directly() {
        let all = [("ALL_PROXY", "http://proxy:3128")];
        for near in [
            "http://127.0.0.1:9000",
            "http://127.8.8.8",
            "http://localhost:9000",
            "http://LOCALHOST.",
            "http://[::1]:9000",
            "http://169.254.169.254/latest",
        ] {
            assert_eq!(way(&all, near), "direct", "{near}");
        }
        assert_eq!(way(&all, "http://10.0.0.1"), "proxy:3128");
        assert_eq!(way(&all, "http://localhost.example"), "proxy:3128");
    }

    #[test]
    fn exceptions_are_names_networks_and_ports() {
        for (list, url, is_direct) in [
            ("*", "https://s3.example", true),
            ("example", "https://s3.example", true),
            (".example", "https://s3.example", true),
            (".s3.example", "https://s3.example", false),
            ("*.example", "https://s3.example", true),
            ("s3.example", "https://s3.example", true),
            ("3.example", "https://s3.example", false),
            ("a, s3.EXAMPLE ,b", "https://s3.example", true),
            ("s3.example:9000", "https://s3.example:9000", true),
            ("s3.example:9000", "https://s3.example", false),
            ("s3.example:443", "https://s3.example", true),
            ("10.0.0.0/8", "http://10.9.9.9", true),
            ("10.0.0.0/8", "http://11.0.0.1", false),
            ("0.0.0.0/0", "http://11.0.0.1", true),
            ("10.0.0.1", "http://10.0.0.1:9000", true),
            ("10.0.0.1:80", "http://10.0.0.1:9000", false),
            ("fd00::/8", "http://[fd00::7]", true),
            ("[fd00::7]:80", "http://[fd00::7]", true),
            ("fd00::7", "http://[fd00::8]", false),
            ("", "https://s3.example", false),
        ] {
            let variables = [("ALL_PROXY", "proxy:1"), ("NO_PROXY", list)];
            let expected = if is_direct { "direct" } else { "proxy:1" };
            assert_eq!(way(&variables, url), expected, "{list} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_named_without_its_password() {
        for (text, words) in [
            ("socks5://u:hunter2@host:1080", "socks5"),
            ("http://", "not the URL"),
            ("ht tp://u:hunter2@x", "not the URL"),
        ] {
            let error = proxies(&[("HTTPS_PROXY", text)]).expect_err(text);
            assert!(error.contains("HTTPS_PROXY") && error.contains(words), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let proxies = proxies(&[("HTTPS_PROXY", "http://u:hunter2@host:1")]).expect("it is right");
        let url = Url::parse("https://s3.example").expect("a URL");
        assert_eq!(proxies.of(&url).map(shown).as_deref(), Some("host:1"));
    }
}
