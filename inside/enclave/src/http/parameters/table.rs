//! The tables. The page `docs/verify-parameters.md` is written from them; a test fails where the two differ.

use axum::http::Method;

use super::Nothing::{Empty, EmptyJson, False};
use super::Standing::{Offered, Refused, WithoutEffect};
use super::{Nothing, Parameter, Place, Resource};

const fn offered(name: &'static str, remark: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: Offered, remark }
}

/// One that Twilio does not have.
const fn ours(name: &'static str, remark: &'static str) -> Parameter {
    Parameter { name, twilio: false, standing: Offered, remark }
}

const fn refused(name: &'static str, nothing: Nothing, why: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: Refused(nothing, why), remark: "" }
}

const fn without_effect(name: &'static str, why: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: WithoutEffect(why), remark: "" }
}

const FRAUD: &str = "a fraud setting that would do nothing is refused; the policy's ceilings hold for every request";
const LOOKUP: &str = "numbers are not looked up";
const CALLS: &str = "codes are not sent by calls";
const PSD2: &str = "transactions are not signed";
const TEMPLATES: &str = "messages have fixed texts";
const PUSH: &str = "push factors are not offered";
const TOTP: &str = "TOTP factors are not offered";
const PASSKEYS: &str = "passkeys are not offered";
const WHATSAPP: &str = "messages are not sent by WhatsApp";
const SNA: &str = "silent network authentication is not offered";

/// Parameters of a service that the vault has.
const SERVICE: &[Parameter] = &[
    offered(
        "FriendlyName",
        "Stands in the message: 1 to 30 characters of the GSM alphabet, or 15 others. An update brings no run of 11 or more letters, digits, `+` and `/` that the name did not have: it could be an Android app's hash. Characters count as what carriers may put in their place ([limits](LIMITS.md#a-text-message)).",
    ),
    offered("CodeLength", "From the policy's floor to 10; 6 by default. A shorter one waits (`adyton tenant loosen`)."),
    offered(
        "DoNotShareWarningEnabled",
        "E-mails carry the warning too. Once on, it stays on. No request of a verification takes it away.",
    ),
    offered("CustomCodeEnabled", "Only for services that the policy names."),
    ours(
        "WebOtpDomain",
        "Domain that browsers bind a code to, in the last line. Fixed at creation; it can only be removed.",
    ),
    ours(
        "AppHashes",
        "Android apps (SMS Retriever) that a verification may name: up to 8 hashes, separated by commas. Fixed at \
         creation; hashes can only be removed.",
    ),
];

const SERVICE_OF_TWILIO: &[Parameter] = &[
    refused("LookupEnabled", False, LOOKUP),
    refused("SkipSmsToLandlines", False, LOOKUP),
    refused("DtmfInputRequired", False, CALLS),
    refused("TtsName", Empty, CALLS),
    refused("Psd2Enabled", False, PSD2),
    without_effect("Push.IncludeDate", "Twilio deprecated it, and it concerns challenges that are not offered."),
    refused("Push.ApnCredentialSid", Empty, PUSH),
    refused("Push.FcmCredentialSid", Empty, PUSH),
    refused("Totp.Issuer", Empty, TOTP),
    refused("Totp.TimeStep", Empty, TOTP),
    refused("Totp.CodeLength", Empty, TOTP),
    refused("Totp.Skew", Empty, TOTP),
    refused("DefaultTemplateSid", Empty, TEMPLATES),
    refused("Whatsapp.MsgServiceSid", Empty, WHATSAPP),
    refused("Whatsapp.From", Empty, WHATSAPP),
    refused("Passkeys.RelyingParty.Id", Empty, PASSKEYS),
    refused("Passkeys.RelyingParty.Name", Empty, PASSKEYS),
    refused("Passkeys.RelyingParty.Origins", Empty, PASSKEYS),
    refused("Passkeys.AuthenticatorAttachment", Empty, PASSKEYS),
    refused("Passkeys.DiscoverableCredentials", Empty, PASSKEYS),
    refused("Passkeys.UserVerification", Empty, PASSKEYS),
    refused("VerifyEventSubscriptionEnabled", False, "events are not streamed"),
];

const PAGING: &[Parameter] = &[
    offered("PageSize", "1 to 1000; 50 by default."),
    offered("Page", "Repeated in the answer; the token says where a page begins."),
    offered("PageToken", "Of the page before."),
];

const VERIFICATION: &[Parameter] = &[
    offered("To", "A number in E.164 form, or an e-mail address in ASCII."),
    offered("Channel", "`sms` or `email`."),
    offered(
        "CustomFriendlyName",
        "Instead of the service's name, by the same rules. One that leaves no room for warning, domain or app hash is \
         refused, and so is a run of 11 or more letters, digits, `+` and `/` that the service's name does not have: it could be an \
         Android app's hash.",
    ),
    offered("Locale", "`en`, `de`, `fr` or `es`, with any region; `en` by default. It is not guessed from the number."),
    offered("AppHash", "One of the service's `AppHashes`; text messages only. It stands beside the domain."),
    offered("CustomCode", "4 to 10 digits; only for services that the policy names."),
    refused("CustomMessage", Empty, TEMPLATES),
    refused("SendDigits", Empty, CALLS),
    refused("Amount", Empty, PSD2),
    refused("Payee", Empty, PSD2),
    refused("RateLimits", EmptyJson, "limits by keys of the caller's are not offered; the policy's ceilings hold"),
    refused("ChannelConfiguration", EmptyJson, "the policy's routes say who sends"),
    refused("TemplateSid", Empty, TEMPLATES),
    refused("TemplateCustomSubstitutions", EmptyJson, TEMPLATES),
    refused("Templates", EmptyJson, TEMPLATES),
    refused("DeviceIp", Empty, FRAUD),
    refused("RiskCheck", Empty, FRAUD),
    refused("Risk.TelemetryId", Empty, FRAUD),
    refused("EnableSnaClientToken", False, SNA),
    refused("Tags", EmptyJson, "tags would be recorded nowhere"),
];

/// `POST /v2/Services`.
pub(crate) static CREATE_SERVICE: Resource = Resource {
    title: "Create a service",
    method: Method::POST,
    path: "/v2/Services",
    place: Place::Body,
    parameters: &[SERVICE, SERVICE_OF_TWILIO],
};

/// `GET /v2/Services`.
pub(crate) static LIST_SERVICES: Resource = Resource {
    title: "List services",
    method: Method::GET,
    path: "/v2/Services",
    place: Place::Query,
    parameters: &[PAGING],
};

/// `GET /v2/Services/{VA…}`.
pub(crate) static FETCH_SERVICE: Resource = Resource {
    title: "Fetch a service",
    method: Method::GET,
    path: "/v2/Services/{service}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}`.
pub(crate) static UPDATE_SERVICE: Resource = Resource {
    title: "Update a service",
    method: Method::POST,
    path: "/v2/Services/{service}",
    place: Place::Body,
    parameters: &[SERVICE, SERVICE_OF_TWILIO],
};

/// `DELETE /v2/Services/{VA…}`.
pub(crate) static DELETE_SERVICE: Resource = Resource {
    title: "Delete a service",
    method: Method::DELETE,
    path: "/v2/Services/{service}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}/Verifications`.
pub(crate) static START: Resource = Resource {
    title: "Start a verification",
    method: Method::POST,
    path: "/v2/Services/{service}/Verifications",
    place: Place::Body,
    parameters: &[VERIFICATION],
};

/// `GET /v2/Services/{VA…}/Verifications/{VE…}`.
pub(crate) static FETCH_VERIFICATION: Resource = Resource {
    title: "Fetch a verification",
    method: Method::GET,
    path: "/v2/Services/{service}/Verifications/{verification}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}/Verifications/{VE…}`.
pub(crate) static UPDATE_VERIFICATION: Resource = Resource {
    title: "Update a verification",
    method: Method::POST,
    path: "/v2/Services/{service}/Verifications/{verification}",
    place: Place::Body,
    parameters: &[&[offered("Status", "`canceled`; `approved` only for services that the policy names.")]],
};

/// `POST /v2/Services/{VA…}/VerificationCheck`.
pub(crate) static CHECK: Resource = Resource {
    title: "Check a code",
    method: Method::POST,
    path: "/v2/Services/{service}/VerificationCheck",
    place: Place::Body,
    parameters: &[&[
        offered("Code", "4 to 10 ASCII digits."),
        offered("To", "Or `VerificationSid`; with both, they must name one verification."),
        offered("VerificationSid", "`VE…`."),
        refused("Amount", Empty, PSD2),
        refused("Payee", Empty, PSD2),
        refused("SnaClientToken", Empty, SNA),
    ]],
};

/// Every table, in the order of the page.
#[cfg(test)]
pub(super) static ALL: [&Resource; 9] = [
    &CREATE_SERVICE,
    &LIST_SERVICES,
    &FETCH_SERVICE,
    &UPDATE_SERVICE,
    &DELETE_SERVICE,
    &START,
    &FETCH_VERIFICATION,
    &UPDATE_VERIFICATION,
    &CHECK,
];
