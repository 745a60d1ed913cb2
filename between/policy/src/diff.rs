//! What changes from one policy to another, in plain words, and whether it loosens or tightens.

use core::fmt::Display;

use crate::settings::looser;
use crate::succession::{SuccessionError, obstacles};
use crate::{
    Acme, AddressRetention, Admission, ContentRetention, Custody, Direction, Limits, Policy, Route, SmtpTls, quoted,
};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether it gives or takes.
    pub direction: Direction,
    /// The key, and a sentence.
    pub words: String,
}

/// Every change from `old` to `new`.
pub fn diff(old: &Policy, new: &Policy) -> Vec<Change> {
    // Destructured, so that a new section cannot be forgotten here.
    let Policy {
        version: _,
        profile: _,
        retention_days,
        attestation: _,
        owners,
        tenants,
        api,
        acme,
        custody,
        verification,
        limits,
        audit,
        routes,
    } = new;
    let mut out = Changes(Vec::new());
    out.one_way("retention_days: bodies are kept", &old.retention_days, retention_days, |old, new| new > old);
    // What no boot takes, in the words of the refusal. Of names and addresses the first policy decides, and `old` may be a later one.
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for obstacle in obstacles(old, new) {
        match obstacle {
            SuccessionError::Name(name) => names.push(name),
            SuccessionError::Address(address) => addresses.push(address.to_string()),
            fixed => out.push(Direction::Changes, fixed.to_string()),
        }
    }
    match (&old.owners, owners) {
        (None, None) => {}
        (None, Some(_)) => out.push(Direction::Changes, "owners: there are some now".into()),
        (Some(_), None) => out.push(Direction::Changes, "owners: there are none any more".into()),
        (Some(old), Some(new)) => {
            let what = "owners.threshold: owners who must sign";
            out.one_way(what, &old.threshold, &new.threshold, |old, new| new < old);
            out.set("owners.keys", &old.keys, &new.keys, Direction::Changes, Direction::Changes);
        }
    }
    if tenants.admission != old.tenants.admission {
        let (direction, words) = match tenants.admission {
            Admission::Open => (Direction::Loosens, "tenants.admission: anybody may create a tenant"),
            Admission::Owners => (Direction::Tightens, "tenants.admission: only owners admit tenants"),
        };
        out.push(direction, words.into());
    }
    let waits = "tenants.loosening_hours: hours that a loosening waits";
    out.one_way(waits, &old.tenants.loosening_hours, &tenants.loosening_hours, |old, new| new < old);
    out.names("api.names", &old.api.names, &api.names, &names);
    let text = |addresses: &[core::net::IpAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (before, after) = (text(&old.api.addresses), text(&api.addresses));
    out.names("api.addresses", &before, &after, &addresses);
    let (before, after) = (&old.api.public_names, &api.public_names);
    out.set("api.public_names", before, after, Direction::Loosens, Direction::Tightens);
    out.acme(old.acme.as_ref(), acme.as_ref());
    out.custody(&old.custody, custody);
    let channels =
        |channels: &[crate::ChannelName]| channels.iter().map(|channel| channel.text().into()).collect::<Vec<String>>();
    let (before, after) = (channels(&old.verification.channels), channels(&verification.channels));
    out.set("verification.channels", &before, &after, Direction::Loosens, Direction::Tightens);
    let (before, after) = (&old.verification.countries, &verification.countries);
    out.set("verification.countries", before, after, Direction::Loosens, Direction::Tightens);
    let (before, after) = (&old.verification.shortest_code, &verification.shortest_code);
    out.one_way("verification.shortest_code: digits", before, after, |old, new| new < old);
    let (before, after) = (&old.verification.custom_code_services, &verification.custom_code_services);
    out.set("verification.custom_code_services", before, after, Direction::Loosens, Direction::Tightens);
    out.limits(&old.limits, limits);
    if let Some((direction, words)) = audit.diff(old.audit) {
        out.push(direction, words.into());
    }
    out.routes(&old.routes, routes);
    out.0
}

struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, direction: Direction, words: String) {
        self.0.push(Change { direction, words });
    }

    fn one_way<T: Display + PartialEq>(&mut self, what: &str, old: &T, new: &T, loosens: fn(&T, &T) -> bool) {
        if old != new {
            let direction = if loosens(old, new) { Direction::Loosens } else { Direction::Tightens };
            self.push(direction, format!("{what}: {old} becomes {new}"));
        }
    }

    fn set(&mut self, key: &str, old: &[String], new: &[String], added: Direction, removed: Direction) {
        for value in new.iter().filter(|value| !old.contains(value)) {
            self.push(added, format!("{key}: {} is added", quoted(value)));
        }
        for value in old.iter().filter(|value| !new.contains(value)) {
            self.push(removed, format!("{key}: {} is removed", quoted(value)));
        }
    }

    /// Names that the vault's own CA certifies; `beyond` are those that `old` does not cover.
    fn names(&mut self, key: &str, old: &[String], new: &[String], beyond: &[String]) {
        let covered: Vec<String> = new.iter().filter(|name| !beyond.contains(name)).cloned().collect();
        self.set(key, old, &covered, Direction::Changes, Direction::Changes);
        for name in beyond {
            let words = format!("{key}: {name} is added: no boot takes it but where the vault's first policy had it");
            self.push(Direction::Changes, words);
        }
    }

    fn custody(&mut self, old: &Custody, new: &Custody) {
        // Destructured, so that a new field cannot be forgotten here.
        let Custody { host, port, trust, key: _, credentials } = new;
        if (&old.host, old.port) != (host, *port) {
            let words = format!("custody: {}:{} becomes {host}:{port}", old.host, old.port);
            self.push(Direction::Changes, words);
        }
        if old.trust != *trust {
            let direction = if trust == "public-roots" { Direction::Loosens } else { Direction::Changes };
            self.push(direction, format!("custody.trust: {} is trusted", kind_of_trust(trust)));
        }
        if old.credentials != *credentials {
            self.push(Direction::Changes, "custody.credentials: they come from elsewhere".into());
        }
    }

    fn acme(&mut self, old: Option<&Acme>, new: Option<&Acme>) {
        let (old, new) = match (old, new) {
            (None, None) => return,
            (None, Some(new)) => {
                let words = format!("acme: {}:{} is asked for certificates of the public names", new.host, new.port);
                return self.push(Direction::Loosens, words);
            }
            (Some(_), None) => return self.push(Direction::Tightens, "acme: nobody is asked for certificates".into()),
            (Some(old), Some(new)) => (old, new),
        };
        // Destructured, so that a new field cannot be forgotten here.
        let Acme { host, port, path, trust, contact, external_account } = new;
        if (&old.host, old.port, &old.path) != (host, *port, path) {
            self.push(
                Direction::Changes,
                format!("acme: {host}:{port}{path} is asked, not {}:{}{}", old.host, old.port, old.path),
            );
        }
        if old.trust != *trust {
            let words = format!("acme.trust: {} is trusted, not {}", kind_of_trust(trust), kind_of_trust(&old.trust));
            self.push(Direction::Changes, words);
        }
        if old.contact != *contact {
            self.push(Direction::Changes, "acme.contact: it is another one".into());
        }
        if old.external_account != *external_account {
            let said = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".into());
            let words =
                format!("acme.external_account: {}, not {}", said(external_account), said(&old.external_account));
            self.push(Direction::Changes, words);
        }
    }

    fn limits(&mut self, old: &Limits, new: &Limits) {
        // One ceiling at a time, each judged by the rule that settings are held to.
        let one = |name: &str, of: fn(&Limits) -> f64, set: fn(&mut Limits, &Limits)| {
            let (before, after) = (of(old), of(new));
            let mut only = *old;
            set(&mut only, new);
            (before.to_bits() != after.to_bits()).then(|| {
                let direction = if looser(&only, old).is_some() { Direction::Loosens } else { Direction::Tightens };
                Change { direction, words: format!("limits.{name}: {before} becomes {after}") }
            })
        };
        let rows = [
            one("failed_checks", |of| of.failed_checks.into(), |to, from| to.failed_checks = from.failed_checks),
            one(
                "failed_checks_refill_seconds",
                |of| of.failed_checks_refill_seconds.into(),
                |to, from| to.failed_checks_refill_seconds = from.failed_checks_refill_seconds,
            ),
            one(
                "failed_checks_consecutive",
                |of| of.failed_checks_consecutive.into(),
                |to, from| to.failed_checks_consecutive = from.failed_checks_consecutive,
            ),
            one(
                "sends_per_destination_hour",
                |of| of.sends_per_destination_hour.into(),
                |to, from| to.sends_per_destination_hour = from.sends_per_destination_hour,
            ),
            one(
                "sends_per_number_block_hour",
                |of| of.sends_per_number_block_hour.into(),
                |to, from| to.sends_per_number_block_hour = from.sends_per_number_block_hour,
            ),
            one(
                "sends_per_mail_domain_hour",
                |of| of.sends_per_mail_domain_hour.into(),
                |to, from| to.sends_per_mail_domain_hour = from.sends_per_mail_domain_hour,
            ),
            one(
                "sends_per_tenant_hour",
                |of| of.sends_per_tenant_hour.into(),
                |to, from| to.sends_per_tenant_hour = from.sends_per_tenant_hour,
            ),
            one(
                "spend_per_tenant_hour",
                |of| of.spend_per_tenant_hour,
                |to, from| to.spend_per_tenant_hour = from.spend_per_tenant_hour,
            ),
            one(
                "live_verifications",
                |of| of.live_verifications.into(),
                |to, from| to.live_verifications = from.live_verifications,
            ),
        ];
        self.0.extend(rows.into_iter().flatten());
    }

    fn route(&mut self, old: &Route, new: &Route) {
        // Destructured, so that a new field cannot be forgotten here.
        let Route {
            name,
            kind,
            channels,
            host,
            port,
            trust,
            credential,
            cost,
            account,
            from,
            messaging_service,
            path,
            seal_code_to,
            tls,
            content_retention,
            address_retention,
        } = new;
        let mut say = |direction, words: String| self.push(direction, format!("routes.{name}{words}"));
        if (&old.host, old.port) != (host, *port) {
            say(Direction::Changes, format!(": messages go to {host}:{port}, not {}:{}", old.host, old.port));
        }
        if old.trust != *trust {
            let direction = if trust == "public-roots" { Direction::Loosens } else { Direction::Changes };
            say(direction, format!(".trust: {} is trusted, not {}", kind_of_trust(trust), kind_of_trust(&old.trust)));
        }
        match (&old.seal_code_to, seal_code_to) {
            (Some(_), None) => say(Direction::Loosens, ".seal_code_to: the code goes out in the clear".into()),
            (None, Some(_)) => say(Direction::Tightens, ".seal_code_to: the code goes out sealed".into()),
            (Some(before), Some(now)) if before != now => {
                say(Direction::Changes, format!(".seal_code_to: the code is sealed to {now}"));
            }
            _ => {}
        }
        let (before, now) = (old.content_retention.unwrap_or_default(), content_retention.unwrap_or_default());
        if before != now {
            say_kept(&mut say, now == ContentRetention::Discard, ".content_retention", "discard a message's text");
        }
        let (before, now) = (old.address_retention.unwrap_or_default(), address_retention.unwrap_or_default());
        if before != now {
            say_kept(
                &mut say,
                now == AddressRetention::Obfuscate,
                ".address_retention",
                "obfuscate a message's number",
            );
        }
        if old.cost.to_bits() != cost.to_bits() {
            let direction = if *cost < old.cost { Direction::Loosens } else { Direction::Tightens };
            say(direction, format!(".cost: a message counts as {cost}, not {}", old.cost));
        }
        for channel in channels.iter().filter(|channel| !old.channels.contains(channel)) {
            say(Direction::Loosens, format!(".channels: {} is added", channel.text()));
        }
        for channel in old.channels.iter().filter(|channel| !channels.contains(channel)) {
            say(Direction::Tightens, format!(".channels: {} is removed", channel.text()));
        }
        if old.tls != *tls {
            let direction = if *tls == Some(SmtpTls::Starttls) { Direction::Loosens } else { Direction::Tightens };
            say(direction, format!(".tls: {}", if *tls == Some(SmtpTls::Starttls) { "starttls" } else { "implicit" }));
        }
        for (field, changed) in [
            ("kind", old.kind != *kind),
            ("credential", old.credential != *credential),
            ("account", old.account != *account),
            ("from", old.from != *from),
            ("messaging_service", old.messaging_service != *messaging_service),
            ("path", old.path != *path),
        ] {
            if changed {
                say(Direction::Changes, format!(".{field}: it is another one"));
            }
        }
    }

    fn routes(&mut self, old: &[Route], new: &[Route]) {
        for route in new {
            match old.iter().find(|other| other.name == route.name) {
                None => {
                    let words = format!("routes.{}: messages may go to {}:{}", route.name, route.host, route.port);
                    self.push(Direction::Loosens, words);
                    // What it says beyond what a route says by itself.
                    let mut say = |direction, words| self.push(direction, format!("routes.{}{words}", route.name));
                    if route.content_retention == Some(ContentRetention::AccountDefault) {
                        say_kept(&mut say, false, ".content_retention", "discard a message's text");
                    }
                    if route.address_retention == Some(AddressRetention::AccountDefault) {
                        say_kept(&mut say, false, ".address_retention", "obfuscate a message's number");
                    }
                }
                Some(before) => self.route(before, route),
            }
        }
        for route in old.iter().filter(|route| !new.iter().any(|other| other.name == route.name)) {
            self.push(Direction::Tightens, format!("routes.{}: no message goes there any more", route.name));
        }
        let order = |routes: &[Route]| routes.iter().map(|route| route.name.clone()).collect::<Vec<_>>();
        let kept = |routes: &[Route], others: &[Route]| {
            let mut names = order(routes);
            names.retain(|name| others.iter().any(|route| route.name == *name));
            names
        };
        if kept(old, new) != kept(new, old) {
            self.push(Direction::Changes, format!("routes: their order becomes {}", order(new).join(", ")));
        }
    }
}

/// What a carrier is asked not to keep.
fn say_kept(say: &mut impl FnMut(Direction, String), asked: bool, key: &str, what: &str) {
    let (direction, words) = if asked {
        (Direction::Tightens, format!("{key}: the carrier is asked to {what}"))
    } else {
        (Direction::Loosens, format!("{key}: the carrier is not asked to {what}: its account's setting holds"))
    };
    say(direction, words);
}

/// What a `trust` key names, shortly.
fn kind_of_trust(trust: &str) -> &str {
    if trust.contains("BEGIN CERTIFICATE") { "one CA's certificate" } else { trust }
}
