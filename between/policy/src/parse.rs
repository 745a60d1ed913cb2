//! From bytes to a [`Policy`], strictly.

use adyton_ledger::{Signers, SshPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::{Api, Limits, Owners, Policy, PolicyError, Route, RouteKind, unknown};

/// Longest policy, in bytes: what one field of the public log holds.
const MAX_POLICY: usize = 65_536;
/// Owners at the most.
const MAX_OWNERS: usize = 32;
/// Routes at the most.
const MAX_ROUTES: usize = 64;
/// Public names at the most: what public CAs put into one certificate.
const MAX_PUBLIC_NAMES: usize = 100;

/// Values of a `trust` key.
const TRUST: &str = "a certificate in PEM, public-roots, spki-sha256:HEX or ca-sha256:HEX";

/// What a route's certificate must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Signed by this CA (DER).
    Ca(Vec<u8>),
    /// Signed by one of the public roots.
    PublicRoots,
    /// Its own key, or its issuer's: SHA-256 of the SubjectPublicKeyInfo; the name and the dates count besides.
    SpkiSha256([u8; 32]),
    /// The presented chain ends in a CA certificate with this SHA-256.
    CaSha256([u8; 32]),
}

impl Trust {
    /// Parses the value of a `trust` key; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "public-roots" {
            return Some(Self::PublicRoots);
        }
        if let Some(hex) = text.strip_prefix("spki-sha256:") {
            return Some(Self::SpkiSha256(hash(hex)?));
        }
        if let Some(hex) = text.strip_prefix("ca-sha256:") {
            return Some(Self::CaSha256(hash(hex)?));
        }
        certificate(text).map(Self::Ca)
    }
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let lower = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let mut out = [0; 32];
    if !lower || pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// DER of the one certificate that a text is: nothing stands around it, and its lines have their one spelling, so that
/// nobody reads another certificate there than the vault does.
pub fn certificate(pem: &str) -> Option<Vec<u8>> {
    let section = pem.trim().strip_prefix("-----BEGIN CERTIFICATE-----\n")?;
    let section = section.strip_suffix("\n-----END CERTIFICATE-----")?;
    if section.contains('-') {
        return None;
    }
    CertificateDer::from_pem_slice(pem.as_bytes()).ok().map(|certificate| certificate.to_vec())
}

/// DER of the certificates that a text is made of, in their order; `None` if anything else stands there, a private key above
/// all.
pub fn certificates(pem: &str) -> Option<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    let mut rest = pem.trim();
    while !rest.is_empty() {
        const END: &str = "-----END CERTIFICATE-----";
        let (section, after) = rest.split_at(rest.find(END)? + END.len());
        // CAs end lines as they like.
        out.push(certificate(&section.replace("\r\n", "\n"))?);
        rest = after.trim_start();
    }
    Some(out)
}

/// Whether a text is a DNS name, without a dot at its end: no address, in no spelling. Resolvers would take `127.1` or
/// `0x7f000001` for addresses, so its last label begins with a letter; the host's dialer demands that too.
pub fn is_host(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    matches!(ServerName::try_from(text), Ok(ServerName::DnsName(_)))
        && last.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Whether a text names somebody to call: a DNS name ([`is_host`]) that is not this machine's own (RFC 6761 §6.3).
pub fn is_peer(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    is_host(text) && !last.eq_ignore_ascii_case("localhost")
}

/// The host that an official SDK of Twilio's calls instead of this one, with the caller's credentials; `None` if all keep it.
///
/// They take a host for `product[.edge][.region].domain.tld` and write it again from these parts:
/// - Node.js (`getHostname`): two labels are doubled, of six and more some are lost;
/// - Java (`buildURL`): the same;
/// - Go (`BuildUrl`): of six and more the first and the last two remain.
///
/// With one label, and with three to five, all keep a host, but for names whose end repeats (Node.js cuts at the first place
/// where the last two labels begin). Python and Ruby rewrite nothing. All of this holds while neither `TWILIO_EDGE` nor
/// `TWILIO_REGION` is set; with them every host is rewritten.
fn rewritten_by_sdks(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    let node = node_host(host, &labels);
    if node != host {
        return Some(node);
    }
    let [first, .., domain, top] = labels[..] else { return None };
    (labels.len() > 5).then(|| [first, domain, top].join("."))
}

/// What Node.js's SDK makes of a host, step by step.
fn node_host(host: &str, labels: &[&str]) -> String {
    let domain = labels[labels.len().saturating_sub(2)..].join(".");
    let prefix = host.split(&format!(".{domain}")).next().unwrap_or_default();
    match prefix.split('.').collect::<Vec<_>>()[..] {
        [product, region] => [product, region, &domain].join("."),
        [product, edge, region, ..] => [product, edge, region, &domain].join("."),
        _ => host.to_owned(),
    }
}

impl Policy {
    /// Parses the measured bytes.
    ///
    /// # Errors
    /// [`PolicyError`], the first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > MAX_POLICY {
            return Err(PolicyError::Length);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| PolicyError::Text)?;
        let toml = |error: toml::de::Error| PolicyError::Toml(error.to_string());
        let table: toml::Table = text.parse().map_err(toml)?;
        if let Some((path, nearest)) = unknown::in_policy(&table) {
            return Err(PolicyError::UnknownKey { path, nearest });
        }
        let policy: Self = toml::from_str(text).map_err(toml)?;
        policy.check()?;
        Ok(policy)
    }

    /// Host and port that a credential of the settings is sealed to, by its name.
    pub fn place_of_credential(&self, name: &str) -> Option<(&str, u16)> {
        let of_route = self.routes.iter().find(|route| route.credential == name);
        let of_acme = self.acme.as_ref().filter(|acme| acme.external_account.as_deref() == Some(name));
        of_route.map(|route| (&route.host[..], route.port)).or_else(|| of_acme.map(|acme| (&acme.host[..], acme.port)))
    }

    fn check(&self) -> Result<(), PolicyError> {
        if self.version != 1 {
            return Err(PolicyError::Version { got: self.version });
        }
        certificate(&self.attestation.root).ok_or_else(|| PolicyError::Certificate("attestation.root".into()))?;
        self.check_owners()?;
        range("retention_days", (1..=36_500).contains(&self.retention_days), "1 to 36500 days")?;
        range("tenants.loosening_hours", (1..=8760).contains(&self.tenants.loosening_hours), "1 to 8760 hours")?;
        if self.api.names.is_empty() && self.api.addresses.is_empty() {
            return Err(PolicyError::Missing { key: "api".into(), why: "names or addresses are needed" });
        }
        // `localhost` is a name of one label, which a vault on a laptop needs.
        for name in &self.api.names {
            host("api.names", name)?;
            kept_by_sdks("api.names", name)?;
        }
        self.check_public_names()?;
        self.check_acme()?;
        self.check_custody()?;
        self.check_verification()?;
        check_limits(&self.limits)?;
        range("routes", self.routes.len() <= MAX_ROUTES, "at most 64 routes")?;
        for (place, route) in self.routes.iter().enumerate() {
            let key = format!("routes[{place}]");
            if self.routes[..place].iter().any(|other| other.name == route.name) {
                return Err(PolicyError::Missing { key: key + ".name", why: "another route has this name" });
            }
            check_route(&key, route)?;
        }
        Ok(())
    }

    fn check_public_names(&self) -> Result<(), PolicyError> {
        let Api { names, public_names, .. } = &self.api;
        range("api.public_names", public_names.len() <= MAX_PUBLIC_NAMES, "at most 100 names")?;
        for (place, name) in public_names.iter().enumerate() {
            let key = format!("api.public_names[{place}]");
            peer(&key, name)?;
            range(&key, !name.bytes().any(|byte| byte.is_ascii_uppercase()), "lower case")?;
            kept_by_sdks(&key, name)?;
            let why = "it is among api.names or stands here twice; a name shows one kind of certificate";
            if public_names[..place].contains(name) || names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(PolicyError::Missing { key, why });
            }
        }
        Ok(())
    }

    fn check_acme(&self) -> Result<(), PolicyError> {
        let Some(acme) = &self.acme else { return Ok(()) };
        let why = "there are no api.public_names to be certified";
        if self.api.public_names.is_empty() {
            return Err(PolicyError::Missing { key: "acme".into(), why });
        }
        peer("acme.host", &acme.host)?;
        range("acme.port", acme.port > 0, "1 to 65535")?;
        let plain = acme.path.starts_with('/') && acme.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        range("acme.path", plain, "a path that begins with /")?;
        range("acme.trust", Trust::parse(&acme.trust).is_some(), TRUST)?;
        let mailbox = |text: &str| text.contains('@') && text.bytes().all(|byte| byte.is_ascii_graphic());
        range("acme.contact", acme.contact.as_deref().is_none_or(mailbox), "a mail address")?;
        let Some(name) = &acme.external_account else { return Ok(()) };
        range("acme.external_account", is_word(name), WORD)?;
        let why = "a route has a credential of this name, and a credential is sealed to one place";
        if self.routes.iter().any(|route| route.credential == *name) {
            return Err(PolicyError::Missing { key: "acme.external_account".into(), why });
        }
        Ok(())
    }

    fn check_owners(&self) -> Result<(), PolicyError> {
        let Some(owners) = &self.owners else { return Ok(()) };
        let keys = &owners.keys;
        range("owners.keys", (1..=MAX_OWNERS).contains(&keys.len()), "1 to 32 keys")?;
        let keys = owners.keys()?;
        for (place, key) in keys.iter().enumerate() {
            if keys[..place].contains(key) {
                let why = "the same key stands there twice, and counts once";
                return Err(PolicyError::Missing { key: format!("owners.keys[{place}]"), why });
            }
        }
        owners.signers().map(drop)
    }

    fn check_verification(&self) -> Result<(), PolicyError> {
        let verification = &self.verification;
        range("verification.shortest_code", (4..=6).contains(&verification.shortest_code), "4 to 6 digits")?;
        for country in &verification.countries {
            let digits = country.strip_prefix('+').unwrap_or_default();
            let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            range("verification.countries", plain && !digits.starts_with('0'), "calling codes such as \"+44\"")?;
        }
        for sid in &verification.custom_code_services {
            let hex = sid.strip_prefix("VA").unwrap_or_default();
            let plain = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            range("verification.custom_code_services", plain, "VA and 32 hexadecimal digits")?;
        }
        Ok(())
    }
}

impl Owners {
    fn keys(&self) -> Result<Vec<SshPublicKey>, PolicyError> {
        let parse = |(place, key): (usize, &String)| {
            key.parse().map_err(|error| PolicyError::SshKey(format!("owners.keys[{place}]"), error))
        };
        self.keys.iter().enumerate().map(parse).collect()
    }

    /// Who signs for the owners.
    ///
    /// # Errors
    /// [`PolicyError`], which those of a parsed policy do not have.
    pub fn signers(&self) -> Result<Signers, PolicyError> {
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        let expected = "1 to the number of keys";
        let signers = Signers::new(self.keys()?, threshold);
        signers.ok_or_else(|| PolicyError::Range { key: "owners.threshold".into(), expected })
    }
}

pub(crate) fn range(key: &str, holds: bool, expected: &'static str) -> Result<(), PolicyError> {
    if holds { Ok(()) } else { Err(PolicyError::Range { key: key.into(), expected }) }
}

fn host(key: &str, name: &str) -> Result<(), PolicyError> {
    if is_host(name) { Ok(()) } else { Err(PolicyError::Host(key.into())) }
}

fn kept_by_sdks(key: &str, name: &str) -> Result<(), PolicyError> {
    match rewritten_by_sdks(&name.to_ascii_lowercase()) {
        None => Ok(()),
        Some(to) => Err(PolicyError::RewrittenHost { key: key.into(), name: name.into(), to }),
    }
}

pub(crate) fn peer(key: &str, name: &str) -> Result<(), PolicyError> {
    if is_peer(name) { Ok(()) } else { Err(PolicyError::Host(key.into())) }
}

/// Ranges of the ceilings; also of those in the settings.
pub(crate) fn check_limits(limits: &Limits) -> Result<(), PolicyError> {
    range("limits.failed_checks", (1..=100).contains(&limits.failed_checks), "1 to 100")?;
    range("limits.failed_checks_refill_seconds", limits.failed_checks_refill_seconds >= 1, "at least 1 second")?;
    // NIST SP 800-63B §5.2.2.
    range("limits.failed_checks_consecutive", (1..=100).contains(&limits.failed_checks_consecutive), "1 to 100")?;
    let spend = limits.spend_per_tenant_hour;
    range("limits.spend_per_tenant_hour", (0.0..=1e9).contains(&spend), "0 to 1000000000")?;
    range("limits.live_verifications", (1..=4_000_000).contains(&limits.live_verifications), "1 to 4000000")
}

const WORD: &str = "1 to 32 of a-z, 0-9 and -";

/// Whether a text is a name of a route or of a credential.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

fn check_route(key: &str, route: &Route) -> Result<(), PolicyError> {
    let at = |name: &str| format!("{key}.{name}");
    range(&at("name"), is_word(&route.name), WORD)?;
    range(&at("credential"), is_word(&route.credential), WORD)?;
    range(&at("channels"), !route.channels.is_empty(), "at least one channel")?;
    peer(&at("host"), &route.host)?;
    range(&at("port"), route.port > 0, "1 to 65535")?;
    range(&at("cost"), (0.0..=1000.0).contains(&route.cost), "0 to 1000")?;
    range(&at("trust"), Trust::parse(&route.trust).is_some(), TRUST)?;
    let optional = [
        ("account", route.account.is_some(), route.kind == RouteKind::TwilioMessages),
        ("messaging_service", route.messaging_service.is_some(), route.kind == RouteKind::TwilioMessages),
        ("content_retention", route.content_retention.is_some(), route.kind == RouteKind::TwilioMessages),
        ("address_retention", route.address_retention.is_some(), route.kind == RouteKind::TwilioMessages),
        ("path", route.path.is_some(), route.kind == RouteKind::Webhook),
        ("seal_code_to", route.seal_code_to.is_some(), route.kind == RouteKind::Webhook),
        ("tls", route.tls.is_some(), route.kind == RouteKind::Smtp),
    ];
    for (name, given, belongs) in optional {
        if given && !belongs {
            return Err(PolicyError::Missing { key: at(name), why: "this kind of route has no such key" });
        }
    }
    let need = |name: &str, given: bool, why| {
        if given { Ok(()) } else { Err(PolicyError::Missing { key: at(name), why }) }
    };
    match route.kind {
        RouteKind::TwilioMessages => {
            need("account", route.account.is_some(), "twilio-messages needs an account")?;
            // It stands in a path.
            let digits = route.account.as_deref().and_then(|account| account.strip_prefix("AC")).unwrap_or_default();
            let is_sid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            range(&at("account"), is_sid, "AC and 32 hexadecimal digits")?;
            let one = route.from.is_some() != route.messaging_service.is_some();
            need("from", one, "twilio-messages needs either from or messaging_service")
        }
        RouteKind::Webhook => {
            let path = route.path.as_deref().unwrap_or_default();
            let plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
            range(&at("path"), plain, "a path that begins with /")?;
            let sealed = route.seal_code_to.as_deref().is_none_or(|hex| hash(hex).is_some());
            range(&at("seal_code_to"), sealed, "64 lower-case hexadecimal digits")
        }
        RouteKind::Smtp => {
            need("tls", route.tls.is_some(), "smtp needs tls: implicit or starttls")?;
            need("from", route.from.as_deref().is_some_and(|from| from.contains('@')), "smtp needs a sender's address")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
